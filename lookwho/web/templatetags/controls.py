"""Controls of forms in the look of the pages."""

from __future__ import annotations

from django import template
from django.forms import BoundField
from django.forms.widgets import CheckboxInput, RadioSelect
from django.template import RequestContext
from django.utils.safestring import SafeString

register = template.Library()


@register.simple_tag
def control(field: BoundField) -> SafeString:
    """Return the control of a field; Django ties it to what is wrong with it, and to its help."""
    widget = field.field.widget
    if not isinstance(widget, CheckboxInput | RadioSelect):
        widget.attrs["class"] = "text"
        widget.attrs.pop("placeholder", None)  # it says what the label says
    return field.as_widget()


@register.simple_tag(takes_context=True)
def keys_work(context: RequestContext) -> bool:
    """Return whether browsers let a security key be used here: on sites that have a name."""
    request = context.request
    name = request.get_host().partition(":")[0]
    if name == "localhost":
        return True
    return request.is_secure() and not name.startswith("[") and not name[-1].isdecimal()
