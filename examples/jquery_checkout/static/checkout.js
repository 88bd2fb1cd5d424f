// What WooCommerce's classic checkout does to the fields in it, in few lines:
// https://github.com/woocommerce/woocommerce plugins/woocommerce/client/legacy/js/frontend/checkout.js
jQuery(($) => {
  const form = $("form.checkout");
  const swap = ({ fragments }) => $.each(fragments, (selector, html) => $(selector).replaceWith(html));

  // The mark of a mistake goes with the first key, and all that described the field with it.
  form.on("input change", "input", function () {
    $(this).removeAttr("aria-invalid aria-describedby");
  });

  form.on("change", "[name=shipping_method]", () => {
    $.post("/update_order_review", form.serialize(), swap);
  });

  form.on("submit", () => {
    $.post("/place_order", form.serialize(), (reply) => {
      if (reply.result === "success") location.assign(reply.redirect);
      else swap(reply);
    });
    return false;
  });
});
