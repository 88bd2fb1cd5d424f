"""What a shop writes about the script into the inventory of its payment page.

PCI DSS 4.0.1, requirement 6.4.3: each script is authorised, its integrity is assured and
it stands in an inventory with the reason why it is there.
"""

from regulars.ask.widget.files import SCRIPT, STYLE, newest_version, widget_file

_TEXT = """\
Script:      {script}
Integrity:   {script_hash}
Style sheet: {style} (optional)
Integrity:   {style_hash}

Purpose: Regulars fields {version}. Business justification: asks customers for their X
handle and for the way they wish to be contacted, and tells them at once whether the
handle exists. Technical justification: the check has to happen while the customer
types; without the script the fields are still shown and posted. The file is loaded from
one pinned address with subresource integrity, never changes, imports nothing and loads
no other script. It works on the elements regulars-handle and regulars-channels and on
the fields that these name, reads no card data, sets no cookie, stores nothing, and
sends to {base_url}/v1/ alone.
Authorised by: ____________________  on: ____________

Content-Security-Policy, added to what the page has:
  script-src {base_url}/w/;
  connect-src {base_url}/v1/;
  style-src {base_url}/w/;     (with the style sheet)
The strictest script-src names the one file: script-src '{script_hash}';
Nothing else is needed: no inline script or style, no eval, no frame, no font, no image."""


def inventory(base_url: str) -> str:
    """The entry for the newest version as served at *base_url*, and the CSP lines.

    Raises:
        LookupError: there is no version.
    """
    version = newest_version()
    return _TEXT.format(
        version=version,
        base_url=base_url,
        script=f"{base_url}/w/{version}/{SCRIPT}",
        style=f"{base_url}/w/{version}/{STYLE}",
        script_hash=widget_file(version, SCRIPT).integrity,
        style_hash=widget_file(version, STYLE).integrity,
    )
