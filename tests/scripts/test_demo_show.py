#!/usr/bin/env python3
"""What the demo shows of a document with a binary object."""
import contextlib
import io
import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent.parent / "scripts"))

import demo_show  # noqa: E402

# A record of the object in the standard's part, and what it cannot express in the CSP-defined one.
DOCUMENT = """<HI1Message xmlns="urn:hi1" xmlns:h="urn:handover" xmlns:c="urn:csp">
 <Header>
  <SenderIdentifier><CountryCode>XX</CountryCode><UniqueIdentifier>CSP</UniqueIdentifier></SenderIdentifier>
  <ReceiverIdentifier><CountryCode>GB</CountryCode><UniqueIdentifier>LEA</UniqueIdentifier></ReceiverIdentifier>
 </Header>
 <ActionRequest><ObjectIdentifier>7</ObjectIdentifier><LIID>LIID-1</LIID>
  <h:handoverItem>
   <h:associatedBinaryData>
    <h:binaryObject>
     <h:url>https://lea.example/1/</h:url><h:contentLength>12</h:contentLength><h:contentType>image/jpeg</h:contentType>
     <h:originalFilename>roof.jpg</h:originalFilename>
    </h:binaryObject>
   </h:associatedBinaryData>
   <h:xmlData>
    <c:event><c:eventType>message</c:eventType><c:binaryObject><c:id>a1</c:id></c:binaryObject></c:event>
   </h:xmlData>
  </h:handoverItem>
 </ActionRequest>
</HI1Message>"""


class BinaryObjects(unittest.TestCase):
    def setUp(self):
        held = tempfile.TemporaryDirectory()
        self.addCleanup(held.cleanup)
        self.directory = pathlib.Path(held.name)
        (self.directory / "1.xml").write_text(DOCUMENT, encoding="utf-8")

    def test_each_is_shown_once(self):
        shown = io.StringIO()
        with contextlib.redirect_stdout(shown):
            demo_show.documents(self.directory, [{"file": "1.xml", "valid": True}])
        self.assertEqual(1, shown.getvalue().count("binary object"), shown.getvalue())
        self.assertIn("roof.jpg, image/jpeg, 12 bytes", shown.getvalue())

    def test_each_has_one_url(self):
        self.assertEqual("https://lea.example/1/", demo_show.urls(self.directory))


if __name__ == "__main__":
    unittest.main()
