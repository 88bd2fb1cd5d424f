<?php
/**
 * As much of WordPress and WooCommerce as the plugin calls, and one scenario over it.
 *
 * Reads {"plugin", "url", "key", "checkout", "order", "typed"} from standard input; makes the
 * sale, then runs the queue once; prints what came of it as one JSON value. Requests go out by
 * PHP's own streams.
 */
define( 'ABSPATH', '/' );
$scenario = json_decode( stream_get_contents( STDIN ), true );
define( 'REGULARS_URL', $scenario['url'] );
define( 'REGULARS_KEY', $scenario['key'] );
set_error_handler( fn ( $level, $text, $file, $line ) => error_reporting() & $level ? throw new ErrorException( $text, 0, $level, $file, $line ) : false );

$GLOBALS['hooks'] = $GLOBALS['queue'] = $GLOBALS['later'] = $GLOBALS['fields'] = $GLOBALS['requests'] = array();

final class WC_Order {
	public array $meta  = array();
	public array $saved = array();
	public array $notes = array();
	public function __construct( private array $data ) {}
	public function get_id(): int { return $this->data['id']; }
	public function get_order_number(): string { return (string) $this->data['id']; }
	public function get_customer_id(): int { return $this->data['customer_id'] ?? 0; }
	public function get_billing_email(): string { return $this->data['email'] ?? ''; }
	public function get_billing_phone(): string { return $this->data['phone'] ?? ''; }
	public function get_billing_first_name(): string { return $this->data['first_name'] ?? ''; }
	public function get_billing_last_name(): string { return $this->data['last_name'] ?? ''; }
	public function get_meta( string $key ) { return $this->meta[ $key ] ?? ''; }
	public function update_meta_data( string $key, $value ): void { $this->meta[ $key ] = $value; }
	public function delete_meta_data( string $key ): void { unset( $this->meta[ $key ] ); }
	public function add_order_note( string $note ): void { $this->notes[] = $note; }
	public function save(): void { $this->saved = $this->meta; }
}

function add_action( string $hook, callable $callback, int $priority = 10, int $arguments = 1 ): void {
	$GLOBALS['hooks'][ $hook ][] = array( $callback, $arguments );
}
function do_action( string $hook, ...$given ): void {
	foreach ( $GLOBALS['hooks'][ $hook ] ?? array() as list( $callback, $arguments ) ) {
		$callback( ...array_slice( $given, 0, $arguments ) );
	}
}
function wc_get_order( int $id ) { return $GLOBALS['order']->get_id() === $id ? $GLOBALS['order'] : false; }
function wp_unslash( array $value ): array { return array_map( fn ( $v ) => is_array( $v ) ? wp_unslash( $v ) : stripslashes( $v ), $value ); }
function sanitize_text_field( string $text ): string { return trim( preg_replace( '/[\r\n\t ]+/', ' ', strip_tags( $text ) ) ); }
function wp_json_encode( $value ): string { return json_encode( $value, JSON_THROW_ON_ERROR ); }
function woocommerce_register_additional_checkout_field( array $field ): void { $GLOBALS['fields'][] = $field; }
function as_enqueue_async_action( string $hook, array $arguments, string $group ): int {
	return array_push( $GLOBALS['queue'], array( $hook, $arguments ) );
}
function as_schedule_single_action( int $at, string $hook, array $arguments, string $group ): int {
	return array_push( $GLOBALS['later'], array( $at - time(), $hook, $arguments ) );
}
function wp_remote_post( string $url, array $request ) {
	$GLOBALS['requests'][] = array( 'url' => $url, 'timeout' => $request['timeout'], 'redirection' => $request['redirection'] );
	$lines = array();
	foreach ( $request['headers'] as $name => $value ) {
		$lines[] = "$name: $value";
	}
	$http = array( 'method' => 'POST', 'header' => $lines, 'content' => $request['body'], 'timeout' => $request['timeout'], 'ignore_errors' => true, 'follow_location' => 0 );
	$body = @file_get_contents( $url, false, stream_context_create( array( 'http' => $http ) ) );
	if ( false === $body ) {
		return null; // WordPress: a WP_Error, whose response code is ''.
	}
	preg_match( '/^HTTP\S+ (\d+)/', $http_response_header[0], $found );
	return array( 'code' => (int) $found[1], 'body' => $body );
}
function wp_remote_retrieve_response_code( $reply ) { return $reply['code'] ?? ''; }
function wp_remote_retrieve_body( $reply ): string { return $reply['body'] ?? ''; }

require $scenario['plugin'] . '/regulars.php';
$GLOBALS['order'] = $order = new WC_Order( $scenario['order'] );
do_action( 'woocommerce_init' );
ob_start();
do_action( 'woocommerce_after_order_notes', null );
$html = ob_get_clean();

if ( 'classic' === $scenario['checkout'] ) {
	$_POST = array_map( fn ( $v ) => is_array( $v ) ? array_map( 'addslashes', $v ) : addslashes( $v ), $scenario['typed'] );
	do_action( 'woocommerce_checkout_order_processed', $order->get_id(), array(), $order );
} else {
	foreach ( $scenario['typed'] as $id => $value ) {
		$order->meta[ "_wc_other/$id" ] = $value;
	}
	do_action( 'woocommerce_store_api_checkout_order_processed', $order );
}
$during_the_sale = count( $GLOBALS['requests'] );
foreach ( array_merge( $GLOBALS['queue'], array_fill( 0, $scenario['repeats'] ?? 0, $GLOBALS['queue'][0] ?? null ) ) as list( $hook, $arguments ) ) {
	$kept = $order->meta;
	do_action( $hook, ...( array( $arguments[0], $scenario['attempt'] ?? $arguments[1] ) ) );
	if ( ! empty( $scenario['repeats'] ) ) {
		$order->meta = $kept; // As if the process had died before the order was saved.
	}
}
echo json_encode(
	array(
		'html'            => $html,
		'fields'          => $GLOBALS['fields'],
		'during_the_sale' => $during_the_sale,
		'requests'        => $GLOBALS['requests'],
		'later'           => $GLOBALS['later'],
		'kept'            => $order->saved['_regulars_answer'] ?? null,
		'notes'           => $order->notes,
	)
);
