"""What people do, in a real Chromium before a real server: by mouse, by keyboard, in both languages."""

from __future__ import annotations

import re

import pytest

from serving.access import SCOPES
from tests.api.builders import PEOPLE, SHARED_PHONE
from tests.pages.day import BRANCH, RICH
from tests.pages.screenshots import ticket_path

TOTAL = "1,286,540.27"
# The tests of this module share one server: each works on customers of its own.
DORMANT, CALL_BACK = ([one for one in PEOPLE if one.branch == BRANCH and one.list_name == name and one.phone]
                      for name in ("dormant", "first_call_back"))  # fmt: skip


@pytest.fixture
def seat(site, tab):
    """A tab in which an agent has signed in, and the server's address."""
    address, key_of = site
    tab.goto(f"{address}/pages")
    tab.fill("#key", key_of("agent"))
    _press(tab, "Enter")
    assert tab.url == f"{address}/pages/look-up"
    return tab, address


def _type(tab, text: str) -> None:
    """Typed where the page put the focus, once it has: a person is not faster."""
    tab.wait_for_function("document.activeElement.tagName === 'INPUT'")
    tab.keyboard.type(text)


def _press(tab, *keys: str) -> None:
    """Keys, of which the last leads to another page."""
    for key in keys[:-1]:
        tab.keyboard.press(key)
    with tab.expect_navigation():
        tab.keyboard.press(keys[-1])


def _click(tab, selector: str) -> None:
    with tab.expect_navigation():
        tab.click(selector)


def test_ticket_pops_the_customer_and_a_check_shows_figures(site, tab) -> None:
    address, key_of = site
    path = ticket_path(address, key_of("agent"), RICH.phone)
    tab.goto(address + path)
    tab.wait_for_url("**/pages/customer/*")
    assert TOTAL not in tab.content() and tab.locator("svg.curve").count() == 0
    _click(tab, "button[value=document_digits]")
    assert TOTAL in tab.content() and tab.locator("svg.curve polyline").bounding_box()["width"] > 200
    assert "证件后四位一致" in tab.inner_text("h1")
    tab.goto(address + path)
    assert "只能使用一次" in tab.inner_text("main")


def test_link_on_another_site_signs_in_all_the_same(site, tab) -> None:
    """The cookie is strict: a redirect that began elsewhere would arrive without it."""
    address, key_of = site
    path = ticket_path(address, key_of("agent"), RICH.phone)
    elsewhere = address.replace("127.0.0.1", "localhost")
    tab.route(
        f"{elsewhere}/desk",
        lambda route: route.fulfill(body=f'<a href="{address}{path}">call</a>', content_type="text/html"),
    )
    tab.goto(f"{elsewhere}/desk")
    tab.click("a")
    tab.wait_for_url("**/pages/customer/*")
    assert RICH.customer_id in tab.inner_text("h1")


def test_keyboard_alone_goes_from_sign_in_to_the_figures(site, tab) -> None:
    address, key_of = site
    tab.goto(f"{address}/pages")
    _type(tab, key_of("agent"))
    _press(tab, "Enter")
    _type(tab, RICH.phone)
    _press(tab, "Enter")
    assert RICH.customer_id in tab.inner_text("h1")
    tab.wait_for_function("document.activeElement.tagName === 'H2'")
    # Enter where the focus stands records nothing; the first check is one Tab away.
    tab.keyboard.press("Enter")
    assert TOTAL not in tab.content()
    _press(tab, "Tab", "Enter")
    assert TOTAL in tab.content() and "证件后四位一致" in tab.inner_text("h1")


def test_keyboard_alone_takes_a_call(seat) -> None:
    tab, address = seat
    tab.goto(f"{address}/pages/calls/first_call_back")
    tab.wait_for_function("document.activeElement.getAttribute('aria-current') === 'page'")
    for _ in range(6):
        tab.keyboard.press("Tab")
        if tab.evaluate("document.activeElement.tagName") == "BUTTON":
            break
    row = tab.evaluate("document.activeElement.closest('tr').innerText")
    _press(tab, "Enter")
    assert re.search(r"C\d{9}", row)[0] in tab.inner_text("h1")
    assert tab.locator("button[value=no_answer]").count() == 1


def test_first_stop_of_the_keyboard_skips_the_navigation(seat) -> None:
    tab, address = seat
    tab.goto(f"{address}/pages/status")
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.className") == "skip"
    assert tab.locator("a.skip").bounding_box()["x"] >= 0
    tab.keyboard.press("Enter")
    assert tab.evaluate("document.activeElement.id") == "main"


def test_call_is_taken_and_its_result_kept_while_another_seat_looks_on(seat, site, chromium) -> None:
    tab, address = seat
    person = DORMANT[0]
    other = chromium.new_context()
    colleague = other.new_page()
    colleague.goto(f"{address}/pages/sign-in")
    colleague.fill("#key", site[1]("agent", employee="E002"))
    _click(colleague, "button.main")
    tab.goto(f"{address}/pages/calls/dormant")
    colleague.goto(f"{address}/pages/calls/dormant")
    row = f"tr:has-text('{person.customer_id}')"
    _click(tab, f"{row} button")
    _click(colleague, f"{row} button")
    assert "其他坐席已领取" in colleague.inner_text("main")
    _click(tab, "button[value=refused]")
    other.close()
    # A refusal of a call that sells is a word of the phone: it leaves the list, and stands on the page.
    assert tab.url == f"{address}/pages/calls/dormant" and tab.locator(row).count() == 0
    tab.goto(f"{address}/pages/look-up")
    tab.fill("#value", person.phone)
    _press(tab, "Enter")
    assert "拒绝营销外呼" in tab.inner_text("main ul")


def test_reveal_shows_a_phone_once(seat) -> None:
    tab, _ = seat
    tab.fill("#value", DORMANT[1].phone)
    _press(tab, "Enter")
    address = tab.url
    tab.fill("#reason", "回拨客户")
    _click(tab, "button[value=mobile_phone]")
    assert tab.inner_text(".clear") == DORMANT[1].phone
    tab.goto(address)
    assert DORMANT[1].phone not in tab.content()


def test_browser_asks_for_a_reason_before_anything_is_sent(seat) -> None:
    tab, _ = seat
    tab.fill("#value", DORMANT[1].phone)
    _press(tab, "Enter")
    tab.click("button[value=mobile_phone]")
    assert tab.evaluate("document.querySelector('#reason').matches(':invalid')") and tab.locator(".clear").count() == 0


def test_do_not_call_and_a_note_are_on_the_page_at_once(seat) -> None:
    tab, _ = seat
    tab.fill("#value", CALL_BACK[-1].phone)
    _press(tab, "Enter")
    _click(tab, "button[value=do_not_call]")
    assert "免打扰" in tab.inner_text("h1")
    tab.fill("#note", "周二上午再打")
    _click(tab, "#note ~ button")
    assert "周二上午再打" in tab.inner_text("main")


def test_choice_of_a_shared_phone_is_narrowed_by_the_document(seat) -> None:
    tab, _ = seat
    one = next(person for person in PEOPLE if person.phone == SHARED_PHONE)
    tab.fill("#value", SHARED_PHONE)
    _press(tab, "Enter")
    assert tab.locator("tbody tr").count() == 2
    _type(tab, one.identity[-4:])
    _press(tab, "Enter")
    assert one.customer_id in tab.inner_text("h1")


def test_language_switches_on_every_page_and_comes_back_to_it(seat) -> None:
    tab, address = seat
    for path in ("look-up", "calls/dormant", "status"):
        tab.goto(f"{address}/pages/{path}")
        _click(tab, "a.language")
        assert tab.url.split("?")[0] == f"{address}/pages/{path}" and tab.get_attribute("html", "lang") == "en"
        assert not re.findall(r"[\u4e00-\u9fff]", tab.inner_text("main"))
        _click(tab, "a.language")
        assert tab.get_attribute("html", "lang") == "zh-CN"


@pytest.mark.parametrize("language", ["zh", "en"])
def test_no_page_is_wider_than_the_screen(language: str, seat) -> None:
    tab, address = seat
    tab.fill("#value", RICH.phone)
    _press(tab, "Enter")
    _click(tab, "button[value=questions]")
    for path in (
        tab.url,
        f"{address}/pages/calls",
        f"{address}/pages/status",
        tab.url.replace("/customer/", "/commission/"),
    ):
        tab.goto(f"{path}?lang={language}")
        assert tab.evaluate("document.documentElement.scrollWidth") <= 1366, path
        assert tab.evaluate(
            "[...document.querySelectorAll('section, table')].every(one => one.scrollWidth <= one.clientWidth + 1)"
        ), path


def test_customer_page_is_quick_and_small(seat) -> None:
    """An old PC: one style sheet, no script, and little to read."""
    tab, _ = seat
    tab.fill("#value", RICH.phone)
    _press(tab, "Enter")
    _click(tab, "button[value=questions]")
    assert len(tab.content()) < 40_000
    assert tab.evaluate("document.scripts.length") == 0
    assert tab.evaluate("document.querySelectorAll('*').length") < 900


def test_scopes_of_a_key_are_the_scopes_of_its_session(site, tab) -> None:
    address, key_of = site
    tab.goto(f"{address}/pages/sign-in")
    tab.fill("#key", key_of("agent", scopes=tuple(scope for scope in SCOPES if scope == "read")))
    _click(tab, "button.main")
    tab.fill("#value", CALL_BACK[0].phone)
    _press(tab, "Enter")
    assert tab.locator("button[value=do_not_call], #reason, #note").count() == 0
