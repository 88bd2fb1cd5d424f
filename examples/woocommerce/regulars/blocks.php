<?php
/**
 * The block checkout (WooCommerce 8.9 and later): it shows one label a field and no other text,
 * so the sentences are the labels, of 'regulars site snippet NAME --labels > labels.json'.
 */
defined( 'ABSPATH' ) || exit;

if ( ! is_readable( __DIR__ . '/labels.json' ) ) {
	return;
}

function regulars_labels(): array {
	return json_decode( file_get_contents( __DIR__ . '/labels.json' ), true );
}

add_action( 'woocommerce_init', 'regulars_block_fields' );

/** Location 'order': never filled in beforehand, so a handle in it was typed under its label. */
function regulars_block_fields(): void {
	$labels   = regulars_labels();
	$channels = array_intersect_key( $labels['channels'], array_flip( array( 'x', 'email', 'sms', 'phone' ) ) );
	$options  = array();
	foreach ( $channels as $value => $label ) {
		$options[] = compact( 'value', 'label' );
	}
	$field = fn ( string $id, string $label, array $more ) => woocommerce_register_additional_checkout_field(
		// The text is the wording: WooCommerce must not add its own "(optional)" to it.
		array( 'id' => "regulars/$id", 'label' => $label, 'optionalLabel' => $label, 'location' => 'order' ) + $more
	);
	$field( 'x-handle', $labels['x_link']['text'], array( 'attributes' => array( 'autocomplete' => 'off', 'autocapitalize' => 'none', 'maxLength' => 60 ) ) );
	$field( 'channel', $labels['contact_channel']['text'], array( 'type' => 'select', 'options' => $options ) );
}

add_action( 'woocommerce_store_api_checkout_order_processed', 'regulars_block_order' );

function regulars_block_order( WC_Order $order ): void {
	$labels = regulars_labels();
	regulars_keep(
		$order,
		array(
			'site'            => $labels['site'],
			'x_handle'        => (string) $order->get_meta( '_wc_other/regulars/x-handle' ),
			'consent_x_link'  => $labels['x_link']['key'],
			'contact_channel' => (string) $order->get_meta( '_wc_other/regulars/channel' ),
			'contact_wording' => $labels['contact_channel']['key'],
		)
	);
}
