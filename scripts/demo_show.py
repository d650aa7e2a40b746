"""Prints what lea-sim stored, for people (scripts/demo)."""

import base64
import glob
import os
import xml.etree.ElementTree as ElementTree


def local(element):
    return element.tag.rsplit("}", 1)[-1]


def find(element, name):
    return next((e for e in element.iter() if local(e) == name), None)


def text(element, name):
    found = find(element, name)
    return "" if found is None else found.text or ""


def shown(element):
    """Text of an element; decoded where it went as base64, unprintable characters escaped."""
    value = element.text or ""
    note = ""
    if element.get("encoding") == "base64":
        value = base64.b64decode(value).decode("utf-8", "surrogatepass")
        note = "   (came as base64: XML cannot carry it)"
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in value) + note


def show_csp(event):
    for part in event:
        name = local(part)
        if name in ("eventType", "time", "status", "refersTo"):
            print(f"    {name:22} {shown(part)}")
        elif name == "conversation":
            for child in part:
                print(f"    conversation {local(child):9} {shown(child)}")
        elif name == "content":
            print(f"    {'text':22} {shown(find(part, 'text'))}")
        elif name in ("parameters", "device", "network"):
            for each in part:
                value = find(each, "value")
                print(f"    {name + ' ' + text(each, 'name'):22} {shown(value if value is not None else find(each, 'json'))}")


def show_party(role, party):
    identifiers = ", ".join(e.text or "" for e in party.iter() if local(e) == "identifier")
    mark = "   <- target of this warrant" if text(party, "isTargetedParty") == "true" else ""
    print(f"    {role:22} {identifiers}{mark}")


def binary_objects(element):
    """The records of TS 103 707 table 8. The CSP-defined part uses the same element name for what these cannot
    express."""
    data = find(element, "associatedBinaryData")
    return [] if data is None else [record for record in data if local(record) == "binaryObject"]


def documents(directory, deliveries):
    """The documents in a directory, with what lea-sim reported about them."""
    valid = {line.get("file"): line["valid"] for line in deliveries if "valid" in line}
    paths = sorted(glob.glob(os.path.join(directory, "*.xml")), key=os.path.getmtime)
    for path in paths:
        name = os.path.basename(path)
        root = ElementTree.parse(path).getroot()
        header = find(root, "Header")
        ends = [find(header, e) for e in ("SenderIdentifier", "ReceiverIdentifier")]
        sender, receiver = (f"{text(e, 'CountryCode')}/{text(e, 'UniqueIdentifier')}" for e in ends)
        if name in valid and not valid[name]:
            raise AssertionError(f"{name} is not valid against schemas/")
        print(f"  {name}  {os.path.getsize(path)} bytes, {sender} -> {receiver}, "
              f"{'valid against schemas/' if valid.get(name) else 'not checked'}")
        if not valid.get(name):
            raise AssertionError(f"{name}: lea-sim has not checked it")
        for action in (e for e in root.iter() if local(e) == "ActionRequest"):
            item = find(action, "handoverItem")
            print(f"    {'LIID':22} {text(action, 'LIID')}")
            print(f"    {'ObjectIdentifier':22} {text(action, 'ObjectIdentifier')}")
            if find(item, "applicationLevelID") is not None:
                print(f"    {'correlation':22} {text(item, 'applicationLevelID')}, number "
                      f"{text(item, 'applicationSequenceNumber')}")
            for party in (e for e in item.iter() if local(e) in ("messageSender", "recipient")):
                show_party("from" if local(party) == "messageSender" else "to", party)
            for record in binary_objects(item):
                print(f"    {'binary object':22} {text(record, 'originalFilename')}, {text(record, 'contentType')}, "
                      f"{text(record, 'contentLength')} bytes, until {text(record, 'expiry')}")
                print(f"    {'':22} {text(record, 'url')}")
                print(f"    {'':22} SHA-256 {text(record, 'checksum')}")
            show_csp(find(item, "xmlData")[0])
            if find(item, "schemaContent") is not None:
                print(f"    {'schema':22} comes with this item ({text(item, 'schemaIdentifier')})")
        print()


def urls(directory):
    """Of all binary objects in the documents."""
    roots = [ElementTree.parse(path).getroot() for path in glob.glob(os.path.join(directory, "*.xml"))]
    return "\n".join(text(record, "url") for root in roots for record in binary_objects(root))


def expect(directory, count):
    found = len(glob.glob(os.path.join(directory, "*.xml")))
    if found != count:
        raise AssertionError(f"{directory}: {found} documents instead of {count}")
