<?php
/**
 * The classic checkout ([woocommerce_checkout]): it takes any HTML, so the fields are what
 * 'regulars site snippet NAME > fields.html' prints, with the sentences and their keys.
 */
defined( 'ABSPATH' ) || exit;

if ( ! is_readable( __DIR__ . '/fields.html' ) ) {
	return;
}

add_action( 'woocommerce_after_order_notes', 'regulars_classic_fields' );

function regulars_classic_fields(): void {
	echo '<div id="regulars">';
	readfile( __DIR__ . '/fields.html' );
	echo '</div>';
}

add_action( 'woocommerce_checkout_order_processed', 'regulars_classic_order', 10, 3 );

/** WooCommerce has checked the nonce of the form by now. */
function regulars_classic_order( int $order_id, array $posted, WC_Order $order ): void {
	$ours = '/^(site|x_handle(_receipt)?|contact_[a-z]+|consent_[a-z_]+)$/D';
	$said = array();
	foreach ( wp_unslash( $_POST ) as $name => $value ) {
		if ( is_string( $value ) && preg_match( $ours, $name ) ) {
			$said[ $name ] = $value;
		}
	}
	regulars_keep( $order, $said );
}
