"""Text that XML cannot carry, or carries only with care, arrives unchanged."""

import unittest

from harness import Daemon, Lea, SystemTest, message, party, wait_until

EDGES = {
    "nothing": "",
    "blank": " ",
    "control characters": "".join(chr(c) for c in range(0x20)),
    "delete and C1": "\x7f\x80\x85\x9f",
    "carriage returns": "a\rb\r\nc\r",
    "line ends and tabs": "\n\ta\u2028b\u2029\n",
    "markup": "<![CDATA[ ]]> & &amp; <a href='x'>\"quoted\"</a> <!-- --> <?pi?>",
    "end of CDATA": "]]>",
    "lone high surrogate": "a\ud83db",
    "lone low surrogate": "\ude00",
    "swapped surrogates": "\ude00\ud83d",
    "high surrogate at the end": "x\ud800",
    "pair": "\U0001f600",
    "no characters": "\ufffe\uffff",
    "no characters of another plane": "\U0001fffe\U0010ffff",
    "byte order mark": "\ufeffa",
    "right to left": "\u202eabc\u202c \u05e9\u05dc\u05d5\u05dd",
    "combining": "e\u0301 \u00e9 \u212b",
    "looks like base64": "YWJj",
    "replacement character": "\ufffd",
    "long": "\u00fc\U0001f600<&>" * 20000,
    "long and uncarriable": ("x" * 997 + "\x00") * 200,
}


class TextEdges(SystemTest):
    def setUp(self):
        super().setUp()
        self.lea = Lea(self)
        self.lea.start()
        self.daemon = Daemon(self)
        self.daemon.destination("lea-one", self.lea.port)
        self.daemon.warrant("LIID-1", "lea-one", ("user_id", "u-1"))
        self.daemon.start()

    def arrived(self, count):
        wait_until(lambda: len(self.lea.items()) >= count, f"{count} items")
        items = {i.csp_text("eventId"): i for i in self.lea.items()}
        self.assertEqual([], self.daemon.items("refused"), "a document was not valid")
        for item in items.values():
            self.assertTrue(item.valid, item.problem)
        return items

    def test_text_arrives_unchanged(self):
        events = {name: message("u-1", text=text) for name, text in EDGES.items()}
        for event in events.values():
            self.daemon.accept(event)
        items = self.arrived(len(events))
        for name, event in events.items():
            self.assertEqual(EDGES[name], items[event["event_id"]].csp_text("text"), name)

    def test_names_titles_and_parameters_arrive_unchanged(self):
        events = {}
        for name, text in EDGES.items():
            if not 0 < len(text) < 200:
                continue
            event = message("u-1", text="x", conversation="c-" + name, parameters={"note": text})
            event["conversation"]["title"] = text
            event["sender"]["nickname"] = text
            events[name] = event
        self.daemon.accept(*events.values())
        items = self.arrived(len(events))
        for name, event in events.items():
            item = items[event["event_id"]]
            for element in ("title", "nickname", "value"):
                self.assertEqual(EDGES[name], item.csp_text(element), (name, element))

    def test_identifiers_that_fit_no_type_arrive_unchanged(self):
        odd = [("sip_uri", "sip:[2001:db8::1]"), ("email", '"a b"@x'), ("msisdn", "CompanyName"),
               ("e164", "+1 (555) 010-0"), ("sip_uri", "not a uri at all"),
               ("tel_uri", "tel:7042;phone-context=example.com"), ("user_id", "a\x01b"),
               ("username", "z\ud800"), ("email", "jos\u00e9@ex\u00e4mple.com"), ("user_id", "x" * 500)]
        event = message("u-1", receivers=[party(*odd)])
        self.daemon.accept(event)
        item = self.arrived(1)[event["event_id"]]
        given = item.identifiers(item.receivers[0])
        self.assertEqual(len(odd), len(given))
        carriable = [(n, v) for n, (_, v) in enumerate(odd) if "\x01" not in v and "\ud800" not in v]
        for number, value in carriable:
            self.assertEqual(value, given[number])

    def test_raw_utf8_and_escapes_mean_the_same(self):
        body = '{"event_id":"raw","service":"examplechat","event_type":"message","sender":{"identifiers":' \
               '[{"type":"user_id","value":"u\\u002d1"}]},"content":{"type":"text/plain",' \
               '"text":"\u00e9\U0001f600\\u00e9\\ud83d\\ude00\\/"}}'
        self.daemon.accept(body.encode())
        self.assertEqual("\u00e9\U0001f600" * 2 + "/", self.arrived(1)["raw"].csp_text("text"))


if __name__ == "__main__":
    unittest.main(verbosity=2)
