"""Who is one customer: members linked by the identity they had when first seen, and what is known of them each day."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from typing import NamedTuple

from simulator import events
from simulator.truth_state import AccountKey, BrokerState

MemberKey = tuple[str, str]
"""(system, client number)"""

Account = events.AccountOpened | events.AccountChanged

LINE_ORDER = {"normal": 0, "credit": 1, "option": 2, "fund": 3}
_KIND_OF_DOCUMENT = {"product_filing": "product", "unified_social_credit_code": "institution"}


class Member(NamedTuple):
    """`order` = (first day seen, open date on that day, system, client number): the earliest member comes first."""

    order: tuple[dt.date, dt.date, str, str]
    customer_id: str

    @property
    def key(self) -> MemberKey:
        return self.order[2:]


class Profile(NamedTuple):
    """A customer on a day on which at least one of its members is delivered."""

    customer_kind: str
    branch_id: str | None
    main_staff_employee_id: str | None
    risk_level: str | None
    risk_test_expiry_date: dt.date | None
    identity_expiry_date: dt.date | None
    customer_status: str | None
    birth_date: dt.date | None
    open_date: dt.date
    mobile_phone: str | None
    manager_client_number: str | None

    def cells(self) -> tuple:
        """All but the phone and the manager, which are not written down."""
        return self[:-2]


class CustomersOfDay(NamedTuple):
    """profiles: by customer id. customer_of_account: without the accounts whose client is not delivered. customer_of_member: of those delivered."""

    profiles: dict[str, Profile]
    customer_of_account: dict[AccountKey, str]
    customer_of_member: dict[MemberKey, str]


class CustomerRegistry:
    """Customer ids. Documents only add members and a later one never precedes an earlier one, so an id never changes.

    merged: customer → the one it is merged into, all run long; what people decide from day to day is turned into this by `truth_merges`.
    """

    def __init__(self, merged: dict[str, str] | None = None) -> None:
        self._members: dict[MemberKey, Member] = {}
        self._customer_of_identity: dict[tuple[str, str], str] = {}
        self._merged = merged or {}

    def order_of(self, key: MemberKey) -> tuple:
        """What sorts the client numbers of a customer, those of the normal counter first."""
        return (key[0] != "NOR", *self._members[key].order)

    def own_customer(self, key: MemberKey) -> Member | None:
        """The member whose customer this client is by its document, whatever was decided; None for a client never seen."""
        member = self._members.get(key)
        return self._members[_member_key(member.customer_id)] if member else None

    def link_day(self, state: BrokerState, business_date: dt.date) -> CustomersOfDay:
        """Take in the members first seen today and say who is delivered. Once a day, in order of date."""
        accounts_of_member: dict[MemberKey, list[Account]] = defaultdict(list)
        for account in state.accounts.values():
            accounts_of_member[account.system, account.client_number].append(account)
        delivered = [key for key in state.clients if key[0] == "NOR" or key in accounts_of_member]
        self._register(state, business_date, delivered, accounts_of_member)

        members_of_customer: dict[str, list[Member]] = defaultdict(list)
        for key in delivered:
            members_of_customer[self._customer_of(key)].append(self._members[key])
        customer_of_account = {
            (account.line, account.account_id): self._customer_of(key)
            for key in delivered
            for account in accounts_of_member.get(key, ())
        }
        profiles = {
            customer_id: _profile(state, business_date, self._in_order(members), accounts_of_member)
            for customer_id, members in members_of_customer.items()
        }
        customer_of_member = {key: self._customer_of(key) for key in delivered}
        return CustomersOfDay(profiles, customer_of_account, customer_of_member)

    def _customer_of(self, key: MemberKey) -> str:
        own = self._members[key].customer_id
        return self._merged.get(own, own)

    def _in_order(self, members: list[Member]) -> list[Member]:
        """The earliest first; of merged customers all members of the earliest first."""
        return sorted(members, key=lambda member: (self._members[_member_key(member.customer_id)].order, member.order))

    def _register(
        self,
        state: BrokerState,
        business_date: dt.date,
        delivered: list[MemberKey],
        accounts_of_member: dict[MemberKey, list[Account]],
    ) -> None:
        orders = sorted(
            (business_date, _open_date(state, key, accounts_of_member), *key)
            for key in delivered
            if key not in self._members
        )
        for order in orders:
            system, client_number = order[2:]
            client = state.clients[system, client_number]
            own_id = customer_id = f"{system}-{client_number}"
            if client.identity_is_valid and client.identity_number:
                identity = (client.identity_kind, client.identity_number)
                customer_id = self._customer_of_identity.setdefault(identity, own_id)
            self._members[system, client_number] = Member(order, customer_id)


def _member_key(customer_id: str) -> MemberKey:
    """The member a customer has its id from."""
    system, _, client_number = customer_id.partition("-")
    return system, client_number


def _open_date(state: BrokerState, key: MemberKey, accounts_of_member: dict[MemberKey, list[Account]]) -> dt.date:
    """A normal client has an open date of its own; on the other counters it is that of the earliest account."""
    if key[0] == "NOR":
        return state.clients[key].open_date
    return min(account.open_date for account in accounts_of_member[key])


def _profile(
    state: BrokerState,
    business_date: dt.date,
    members: list[Member],
    accounts_of_member: dict[MemberKey, list[Account]],
) -> Profile:
    main_staff = _main_staff(state, business_date, members, accounts_of_member)
    open_date = min(_open_date(state, member.key, accounts_of_member) for member in members)
    normal_client = next((state.clients[member.key] for member in members if member.key[0] == "NOR"), None)
    if normal_client:
        return Profile(
            normal_client.client_kind,
            normal_client.branch_id,
            main_staff,
            normal_client.risk_level,
            normal_client.risk_test_expiry_date,
            normal_client.identity_expiry_date,
            normal_client.status,
            _birth_date(normal_client),
            open_date,
            normal_client.mobile_phone,
            normal_client.manager_client_number,
        )
    first = members[0].key
    earliest_account = min(accounts_of_member[first], key=lambda account: (account.open_date, account.account_id))
    client = state.clients[first]
    customer_kind = _KIND_OF_DOCUMENT.get(client.identity_kind, "person")
    return Profile(
        customer_kind, earliest_account.branch_id, main_staff, None, None, None, None, _birth_date(client), open_date,
        client.mobile_phone, None,
    )  # fmt: skip


def _birth_date(client: events.ClientOpened | events.ClientChanged) -> dt.date | None:
    """Digits 7 to 14 of a resident's number; no other document tells it."""
    if client.identity_kind != "resident_id" or not client.identity_is_valid:
        return None
    return dt.datetime.strptime(client.identity_number[6:14], "%Y%m%d").date()


def _main_staff(
    state: BrokerState,
    business_date: dt.date,
    members: list[Member],
    accounts_of_member: dict[MemberKey, list[Account]],
) -> str | None:
    """First main-service employee in force today, by (normal, credit, option, fund; account id; employee id)."""
    candidates = [
        (LINE_ORDER[account.line], account.account_id, relation.employee_id)
        for member in members
        for account in accounts_of_member.get(member.key, ())
        for relation in state.relations.get((account.line, account.account_id), {}).values()
        if relation.is_main_service and relation.effective_date <= business_date
    ]
    return min(candidates)[-1] if candidates else None
