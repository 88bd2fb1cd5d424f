<?php
/**
 * Plugin Name: Regulars
 * Description: Asks at the checkout for the X handle and the way to be contacted, and tells Regulars.
 * Requires Plugins: woocommerce
 * License: MIT
 *
 * wp-config.php names the service and a key of 'regulars key add': REGULARS_URL, REGULARS_KEY.
 */
defined( 'ABSPATH' ) || exit;

require __DIR__ . '/classic.php';
require __DIR__ . '/blocks.php';

/** Keep what was said with the order; WooCommerce's own queue tells it after the sale. */
function regulars_keep( WC_Order $order, array $said ): void {
	$said    = array_filter( array_map( 'sanitize_text_field', $said ), 'strlen' );
	$channel = $said['contact_channel'] ?? '';
	// Where a chosen way has no address of its own, the one of the bill is meant.
	$said += 'email' === $channel ? array( 'contact_email' => $order->get_billing_email() ) : array();
	$said += in_array( $channel, array( 'sms', 'phone', 'whatsapp' ), true ) ? array( 'contact_phone' => $order->get_billing_phone() ) : array();
	$address = array( 'x' => 'x_handle', 'email' => 'contact_email', 'facebook' => 'contact_facebook' )[ $channel ] ?? 'contact_phone';
	if ( empty( $said[ $address ] ) ) {
		unset( $said['contact_channel'] );
	}
	if ( empty( $said['contact_channel'] ) && empty( $said['x_handle'] ) ) {
		return;
	}
	$said += array( 'given_name' => $order->get_billing_first_name(), 'family_name' => $order->get_billing_last_name(), 'order_id' => $order->get_order_number() );
	$said += $order->get_customer_id() ? array( 'external_id' => (string) $order->get_customer_id() ) : array();
	$order->update_meta_data( '_regulars_answer', $said );
	$order->save();
	as_enqueue_async_action( 'regulars_tell', array( $order->get_id(), 1 ), 'regulars' );
}

add_action( 'regulars_tell', 'regulars_tell', 10, 2 );

/** Tell Regulars; again for three days if need be, under one key, so that nothing is made twice. */
function regulars_tell( int $order_id, int $attempt ): void {
	$order  = wc_get_order( $order_id );
	$answer = $order ? $order->get_meta( '_regulars_answer' ) : null;
	if ( ! $answer ) {
		return;
	}
	$headers = array( 'Authorization' => 'Bearer ' . REGULARS_KEY, 'Content-Type' => 'application/json', 'Idempotency-Key' => "woo-order-$order_id" );
	$request = array( 'timeout' => 3, 'redirection' => 0, 'headers' => $headers, 'body' => wp_json_encode( $answer ) );
	$reply   = wp_remote_post( REGULARS_URL . '/v1/signups', $request );
	$status  = (int) wp_remote_retrieve_response_code( $reply );
	if ( ! in_array( $status, array( 201, 204, 400, 422 ), true ) && $attempt < 20 ) {
		$at = time() + min( 6 * 3600, 60 * 2 ** $attempt );
		as_schedule_single_action( $at, 'regulars_tell', array( $order_id, $attempt + 1 ), 'regulars' );
		return;
	}
	if ( $status < 200 || $status > 299 ) {
		// The codes name the fields that cannot be used, and nobody's data.
		$problem = json_decode( wp_remote_retrieve_body( $reply ), true );
		$order->add_order_note( "Regulars took nothing ($status): " . implode( ', ', array_column( $problem['errors'] ?? array(), 'code' ) ) );
	}
	$order->delete_meta_data( '_regulars_answer' );
	$order->save();
}
