"""What stands between the daemon and an LEA: balancers and proxies that close, cap, hang and add bytes of their own; nginx,
HAProxy and tinyproxy, which nobody here wrote."""

import socket
import unittest

from fronts import Front, haproxy, nginx, tinyproxy
from harness import Lea, inline, message, wait_until
from test_field import FieldTest


class Handshakes(FieldTest):
    def fails_for_a_while(self, mode):
        front = Front(self, self.lea)
        self.configure(front.port)
        self.warrants()
        self.lea.start()
        front.behave(mode)
        self.daemon.start()
        count = self.post(2)
        wait_until(lambda: self.daemon.metric("lihandover_delivery_attempts_total", destination="lea-one"),
                   "it was tried")
        front.behave("pass")
        self.wait_accepted(count)
        self.assertNotRegex(self.daemon.logs(), r"(?i)certificate.*(fail|refus|not trusted)")

    def test_closed_in_the_handshake_is_no_matter_of_certificates(self):
        self.fails_for_a_while("close")

    def test_reset_in_the_handshake_is_no_matter_of_certificates(self):
        self.fails_for_a_while("reset")

    def test_fewer_connections_than_configured(self):
        front = Front(self, self.lea)
        front.behave("cap", connections=4)
        self.LIIDS = 30
        self.configure(front.port, connections=16)
        self.warrants()
        self.lea.start()
        self.daemon.start()
        self.wait_accepted(self.post(10))

    def test_further_connections_are_closed_behind_the_handshake(self):
        front = Front(self, self.lea, tls=True)
        front.behave("cap_late", connections=3)
        self.LIIDS = 30
        self.configure(front.port, connections=16)
        self.warrants()
        self.lea.start()
        self.daemon.start()
        self.wait_accepted(self.post(10))
        self.daemon.wait_delivered()
        self.assertLessEqual(self.destination()["connection_limit"], 8)
        self.assertEqual([], self.states("refused", "set_aside"))
        self.assertNotIn("destination paused", self.daemon.logs())

    @unittest.skipUnless(socket.has_ipv6, "no IPv6")
    def test_the_first_address_hangs(self):
        front = Front(self, self.lea, port=self.lea.port, address="::1")
        front.behave("hang")
        destination = self.daemon.destination("lea-one", self.lea.port, retry={"initial": "50ms", "maximum": "600s"})
        destination["url"] = f"https://localhost:{self.lea.port}/hi"
        self.warrants()
        self.lea.start()
        self.daemon.start()
        self.wait_accepted(self.post(2))


class Answers(FieldTest):
    """Bytes and forms that nobody asked for: each item is delivered, and nobody waits."""

    def through(self, mode, **more):
        front = Front(self, self.lea, tls=True)
        front.behave(mode, **more)
        self.configure(front.port)
        self.warrants()
        self.lea.start()
        self.daemon.start()
        self.wait_accepted(self.post(4))
        self.daemon.wait_delivered()
        self.expect_once(self.accepted())
        self.assertEqual([], self.states("refused", "set_aside"))
        self.assertFalse(self.daemon.metric("lihandover_destination_paused", destination="lea-one"))

    # What nobody asked for may arrive when the next request is on its way already.

    def test_each_answer_twice(self):
        self.through("double")
        self.assertIn("sends what nobody asked for", self.daemon.logs())

    def test_a_line_end_behind_each_answer(self):
        self.through("line_end")

    def test_a_stray_answer_behind_each(self):
        self.through("stray")
        self.assertIn("sends what nobody asked for", self.daemon.logs())

    def test_no_close_notify(self):
        self.through("no_close_notify")

    def test_http_1_0(self):
        self.through("http10")

    def test_many_interim_answers(self):
        self.through("interim", count=12)

    def test_content_length_twice(self):
        self.through("two_lengths")

    def test_no_blank_behind_the_status(self):
        self.through("no_reason")

    def test_a_coding_nobody_asked_for_is_said_and_costs_nothing_for_good(self):
        front = Front(self, self.lea, tls=True)
        front.behave("gzip")
        self.configure(front.port)
        self.daemon.configuration["destinations"]["lea-one"]["retry"]["maximum"] = "200ms"
        self.warrants()
        self.lea.start()
        self.daemon.start()
        count = self.post(2)
        wait_until(lambda: self.destination()["paused"], "nothing is understood, so the destination is paused")
        self.assertEqual("senseless_answer", self.destination()["paused"])
        self.assertIn("a coding that nobody asked for", self.daemon.logs())
        self.assertEqual(count, len(self.daemon.items("queued")))
        front.behave("gzip", times=20)
        self.daemon.wait_delivered()
        self.wait_accepted(count)
        self.assertEqual([], self.states("refused", "set_aside"))
        self.assertIsNone(self.destination()["paused"])


class Uploads(FieldTest):
    def all_stored(self, port, count=10, **more):
        self.configure(port, binary={
            "model": "B", "expiry": "1h", "continue_timeout": "10s",
            "url_template": f"https://127.0.0.1:{port}/binaryData/{{object_identifier}}/", **more})
        self.warrants(deliver=("metadata", "content", "binary"))
        self.lea.start()
        self.daemon.start()
        for number in range(10):
            self.daemon.accept(message(f"u-{number}", attachments=[
                inline("a", bytes([number]) * 5000, content_type="image/jpeg")]))
        wait_until(lambda: len({o["object"] for o in self.lea.objects() if o["outcome"] == "stored"}) >= count,
                   f"{count} objects are stored")

    def behind(self, mode):
        front = Front(self, self.lea, tls=True)
        front.behave(mode)
        self.all_stored(front.port, early_success="delivered")

    def test_a_stray_answer_behind_each(self):
        self.behind("stray")

    def test_each_answer_twice(self):
        self.behind("double")

    def test_a_line_end_behind_each(self):
        self.behind("line_end")

    def test_nginx_buffers_requests(self):
        self.all_stored(nginx(self, [self.lea], location="proxy_request_buffering on;").start().port)

    def test_nginx_does_not_buffer_requests(self):
        self.all_stored(nginx(self, [self.lea], location="proxy_request_buffering off;").start().port)

    def test_a_buffering_front_that_says_no_at_the_end(self):
        front = Front(self, self.lea, tls=True)
        front.behave("buffer", status=404, uploads=True, times=3)
        self.all_stored(front.port, count=7)
        wait_until(lambda: self.destination()["wasted_bytes"] >= 3 * 5000, "the status says what was sent for nothing")


class Nginx(FieldTest):
    def behind(self, leas, http="", location="", **destination):
        front = nginx(self, leas, http=http, location=location).start()
        self.configure(front.port, **destination)
        self.warrants()
        self.daemon.start()
        return front

    def both(self):
        two = Lea(self, "two")
        self.lea.start()
        two.start()
        return two

    def all_of(self, two):
        return {i.object_id for lea in (self.lea, two) for i in self.accepted(lea)}

    def test_an_upstream_goes_and_comes_back(self):
        two = self.both()
        self.behind([self.lea, two])
        count = self.post(3)
        wait_until(lambda: len(self.all_of(two)) == count, "all arrive at one or the other")
        two.kill()
        count += self.post(3)
        wait_until(lambda: len(self.all_of(two)) == count, "all arrive while one is gone")
        two.start()
        count += self.post(3)
        wait_until(lambda: len(self.all_of(two)) == count, "all arrive with both")
        self.daemon.wait_delivered()
        self.assertEqual([], self.states("refused", "set_aside"))

    def test_connections_are_limited(self):
        self.lea.start()
        self.behind([self.lea], http="limit_conn_zone $server_port zone=all:1m;", location="limit_conn all 1;")
        count = 0

        def lowered():
            nonlocal count
            count += self.post(3)
            return self.destination()["connection_limit"] < 4
        wait_until(lowered, "the number of connections is lowered")
        self.wait_accepted(count)
        self.daemon.wait_delivered()
        self.assertEqual([], self.states("refused", "set_aside"))
        self.assertNotIn("destination paused", self.daemon.logs())

    def test_a_filter_of_clients_without_a_name(self):
        self.lea.start()
        filters = 'if ($http_user_agent = "") {{ return 403; }} if ($http_accept = "") {{ return 403; }}'
        self.behind([self.lea], location=filters)
        self.wait_accepted(self.post(1))

    def test_fields_of_the_operators_choice(self):
        self.lea.start()
        filters = ('if ($http_user_agent != "Mediation/7") {{ return 403; }} '
                   'if ($http_x_desk != "north") {{ return 403; }}')
        self.behind([self.lea], headers={"User-Agent": "Mediation/7", "X-Desk": "north"}, location=filters)
        self.wait_accepted(self.post(1))

    def test_a_firewall_that_lets_one_address_through(self):
        self.lea.start()
        self.behind([self.lea], local_address="127.0.0.5", location="allow 127.0.0.5; deny all;")
        self.wait_accepted(self.post(1))

    def test_answers_of_http_1_0_behind_it(self):
        self.lea.start()
        self.behind([self.lea], location="proxy_http_version 1.0;")
        self.expect_once(self.wait_accepted(self.post(4)))


class HAProxy(FieldTest):
    def arrive(self, **more):
        two = Lea(self, "two")
        self.lea.start()
        two.start()
        front = haproxy(self, [self.lea, two], **more).start()
        self.configure(front.port)
        self.warrants()
        self.daemon.start()
        count = 0
        for change in (lambda: None, two.kill, two.start):
            change()
            count += self.post(3)
            wait_until(lambda: len({i.object_id for lea in (self.lea, two) for i in self.accepted(lea)}) == count,
                       "all arrive at one or the other")
        self.daemon.wait_delivered()
        self.assertEqual([], self.states("refused", "set_aside"))

    def test_tls_passed_through(self):
        self.arrive()

    def test_tls_ended_there(self):
        self.arrive(ends_tls=True)


class Proxies(FieldTest):
    """tinyproxy between the daemon and the LEA: it sees the LEA's name and encrypted bytes."""

    def through(self, credentials=None):
        proxy = tinyproxy(self, credentials=credentials, connect_ports=[self.lea.port]).start()
        user = "{}:{}@".format(*credentials) if credentials else ""
        self.configure(proxy=f"http://{user}127.0.0.1:{proxy.port}")
        self.warrants()
        self.lea.start()
        self.daemon.start()
        self.expect_once(self.wait_accepted(self.post(3)))
        wait_until(lambda: f"CONNECT 127.0.0.1:{self.lea.port}" in proxy.process.out() + proxy.process.log(),
                   "the proxy was asked")
        return proxy

    def test_items_go_through_a_proxy(self):
        proxy = self.through()
        # It goes away and comes back.
        proxy.stop()
        count = self.LIIDS * 3 + self.post(1)
        proxy.start()
        self.wait_accepted(count)

    def test_a_proxy_that_wants_credentials(self):
        self.through(credentials=("somebody", "open-sesame"))
        self.assertNotIn("open-sesame", self.daemon.logs())


if __name__ == "__main__":
    unittest.main()
