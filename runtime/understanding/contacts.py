"""E-mail addresses, web addresses and phone numbers inside a message."""

from flowc.runtime.understanding.forms import Form, Groups, Setting, form
from flowc.runtime.values import Value

_NAME = r"[^\s@<>()\[\],;:\"\\]"
_LABEL = r"[\pL\pN][\pL\pN-]*"


def email_forms() -> tuple[Form, ...]:
    return (
        form(
            f"{_NAME}+@(?:{_LABEL}\\.)+\\pL\\pL+",
            lambda groups, _: groups[0],
            before=r"(?:^|[\s<>()\[\],;:\"])",
            hint="@",
        ),
    )


def url_forms() -> tuple[Form, ...]:
    # What ends a sentence does not belong to the address that ends it.
    return (form(r"https?://[^\s<>\"]*[^\s<>\".,;:!?)\]']", lambda groups, _: groups[0], after=r"", hint="://"),)


def phone_forms() -> tuple[Form, ...]:
    return (form(r"\+?\(?[0-9][0-9 ()./-]{4,24}[0-9]", _phone, hint="[0-9][0-9 ()./-]{4}"),)


def _phone(groups: Groups, setting: Setting) -> Value:
    """In the form +442071838750. None for what is no number of any country, nor of the user's own."""
    import phonenumbers  # 50 ms that only a message with such digits has to wait for, once

    try:
        number = phonenumbers.parse(groups[0], setting.language.region or None)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_valid_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
