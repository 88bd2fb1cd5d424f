"""Where customers are asked: the fields, the hosted page, the widget, the counter, the preferences page."""
