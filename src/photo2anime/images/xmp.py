"""Writes text and IPTC records into an XMP packet, for formats that have no other place for them.

Properties as in the IPTC Photo Metadata Standard's table of IIM and XMP, and in XMP's part 3 for PNG's text chunks.
"""

from __future__ import annotations

import html
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

_SPACES = {
    "dc": "http://purl.org/dc/elements/1.1/",
    "xmp": "http://ns.adobe.com/xap/1.0/",
    "exif": "http://ns.adobe.com/exif/1.0/",
    "photoshop": "http://ns.adobe.com/photoshop/1.0/",
    "Iptc4xmpCore": "http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/",
}
_OTHER = "exif:UserComment"  # where text without a property of its own stands, a line each
_BY_KEYWORD = {
    "Title": "dc:title",
    "Author": "dc:creator",
    "Description": "dc:description",
    "Copyright": "dc:rights",
    "Software": "xmp:CreatorTool",
    "Comment": _OTHER,
}
_BY_RECORD = {  # data sets of IIM's record 2
    5: "dc:title",
    15: "photoshop:Category",
    20: "photoshop:SupplementalCategories",
    25: "dc:subject",
    40: "photoshop:Instructions",
    55: "photoshop:DateCreated",
    80: "dc:creator",
    85: "photoshop:AuthorsPosition",
    90: "photoshop:City",
    92: "Iptc4xmpCore:Location",
    95: "photoshop:State",
    100: "Iptc4xmpCore:CountryCode",
    101: "photoshop:Country",
    103: "photoshop:TransmissionReference",
    105: "photoshop:Headline",
    110: "photoshop:Credit",
    115: "photoshop:Source",
    116: "dc:rights",
    120: "dc:description",
    122: "photoshop:CaptionWriter",
}
_OF_THE_RECORDS = {0, 60}  # their version; the time of day, which the date has no place for
_DATE_CREATED = 55
_KINDS: dict[str, Literal["Alt", "Seq", "Bag"]] = {
    **dict.fromkeys(("dc:title", "dc:description", "dc:rights", _OTHER), "Alt"),
    "dc:creator": "Seq",
    **dict.fromkeys(("dc:subject", "photoshop:SupplementalCategories"), "Bag"),
}
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_END = b"</rdf:RDF>"
_EMPTY = (
    b'<?xpacket begin="\xef\xbb\xbf" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
    b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">' + _END + b'</x:xmpmeta><?xpacket end="w"?>'
)


@dataclass(slots=True)
class Properties:
    """What is to go into a packet: values by property. homeless: data sets of IPTC that XMP has no property for."""

    values: dict[str, list[str]] = field(default_factory=dict)
    homeless: list[int] = field(default_factory=list)

    def add_text(self, text: tuple[tuple[str, str], ...]) -> None:
        """PNG's keywords and texts, and comments. What has no property, or whose property is taken, is a line of its
        own in the comment.
        """
        for keyword, value in text:
            name = _BY_KEYWORD.get(keyword, _OTHER)
            if name == _OTHER or name in self.values:
                line = value if keyword == "Comment" else f"{keyword}: {value}"
                self.values[_OTHER] = ["\n".join([*self.values.get(_OTHER, []), line])]
            else:
                self.values[name] = [value]

    def add_iptc(self, iptc: bytes) -> None:
        """The records of IPTC-IIM."""
        utf8 = b"\x1c\x01\x5a\0\x03\x1b%G" in iptc
        for record, number, content in _data_sets(iptc):
            if record != 2 or number in _OF_THE_RECORDS:
                continue
            name, value = _BY_RECORD.get(number), _decoded(content, utf8)
            if name is None:
                self.homeless.append(number)
            elif number == _DATE_CREATED and len(value) == 8:
                self.values[name] = [f"{value[:4]}-{value[4:6]}-{value[6:]}"]
            elif name in _KINDS and _KINDS[name] != "Alt":
                self.values[name] = [*self.values.get(name, []), value]
            else:
                self.values.setdefault(name, [value])


def with_properties(packet: bytes | None, added: Properties) -> bytes | None:
    """The packet with what it does not say yet; a new one for none. None where it is not to be added to."""
    packet = packet or (_EMPTY if added.values else None)
    if packet is None or _END not in packet:
        return None
    fresh = {name: values for name, values in added.values.items() if not _says(packet, name)}
    if not fresh:
        return packet
    about = re.search(rb'rdf:about="([^"]*)"', packet)
    spaces = "".join(f' xmlns:{prefix}="{address}"' for prefix, address in _SPACES.items())
    inside = "".join(_element(name, values) for name, values in fresh.items())
    block = f'" {spaces}>{inside}</rdf:Description>'.encode()
    head, _, tail = packet.rpartition(_END)
    return head + b'<rdf:Description rdf:about="' + (about[1] if about else b"") + block + _END + tail


def _says(packet: bytes, name: str) -> bool:
    """Whether the packet has the property, as an element or as an attribute."""
    return re.search(rb"[<\s]" + name.encode() + rb"[\s=>/]", packet) is not None


def _element(name: str, values: list[str]) -> str:
    texts = [html.escape(_NOT_XML.sub("", value), quote=False) for value in values]
    if (kind := _KINDS.get(name)) is None:
        return f"<{name}>{texts[0]}</{name}>"
    language = ' xml:lang="x-default"' if kind == "Alt" else ""
    items = "".join(f"<rdf:li{language}>{text}</rdf:li>" for text in texts)
    return f"<{name}><rdf:{kind}>{items}</rdf:{kind}></{name}>"


def _data_sets(iptc: bytes) -> Iterator[tuple[int, int, bytes]]:
    """(record, data set, content) of each, as far as they are whole."""
    at = 0
    while at + 5 <= len(iptc) and iptc[at] == 0x1C:
        record, number, length = struct.unpack_from(">BBH", iptc, at + 1)
        at += 5
        if length & 0x8000:  # of more than 32 KiB: the length stands in so many bytes that follow
            wide = length & 0x7FFF
            length = int.from_bytes(iptc[at : at + wide], "big")
            at += wide
        yield record, number, iptc[at : at + length]
        at += length


def _decoded(content: bytes, utf8: bool) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return content.decode("utf-8" if utf8 else "latin-1", errors="replace")
