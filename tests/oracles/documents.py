"""The documents' own rules, from the documents alone: their exact form, prices, times, repeated fields, and shares.

The rules are those of the product document and of the project's domain text; nothing here knows how values are drawn.
"""

import re
from collections import Counter, defaultdict
from datetime import datetime, timedelta
from decimal import Decimal
from math import sqrt
from statistics import median

from common import ALWAYS, STAGES, Run, expect, require, say

AUCTIONS = 20_000

# The product document's shapes, compact and in its order of fields; money has two decimals, degrees have four.
FORMS = {
    "request": (
        '{"id":"UUID","imp":[{"id":"1","banner":{"w":INT,"h":INT,"pos":INT},"bidfloor":MONEY,"bidfloorcur":"USD",'
        '"secure":1}],"site":{"id":"site-RANK","domain":"NAME-RANK.example","cat":[CATEGORIES],'
        '"page":"https://NAME-RANK.example/article/INT","publisher":{"id":"pub-RANK","name":"Example Publisher RANK"}},'
        '"device":{"ua":"TEXT","ip":"IP","geo":{"lat":DEGREES,"lon":DEGREES,"country":"CODE","region":"CODE"},'
        '"devicetype":INT,"os":"TEXT","osv":"TEXT"},"user":{"id":"UUID","buyeruid":"UUID"},"at":INT,"tmax":INT,'
        '"cur":["USD"],"source":{"fd":1,"tid":"UUID"},"regs":{"coppa":INT,"ext":{"gdpr":INT}},"event_timestamp":"TIME",'
        '"received_at":"TIME"}'
    ),
    "response": (
        '{"id":"UUID","seatbid":[{"seat":"seat-NAME","bid":[{"id":"UUID","impid":"1","price":MONEY,"adid":"UUID",'
        '"crid":"cr-INT","adomain":["NAME-INT.example"],"w":INT,"h":INTDEAL}]}],"bidid":"UUID","cur":"USD",'
        '"ext":{"request_id":"UUID"},"event_timestamp":"TIME"}'
    ),
    "impression": (
        '{"impression_id":"UUID","request_id":"UUID","response_id":"UUID","imp_id":"1","bidder_id":"seat-NAME",'
        '"win_price":MONEY,"win_currency":"USD","creative_id":"cr-INT","ad_domain":"NAME-INT.example",'
        '"event_timestamp":"TIME"}'
    ),
    "click": (
        '{"click_id":"UUID","request_id":"UUID","impression_id":"UUID","imp_id":"1","bidder_id":"seat-NAME",'
        '"creative_id":"cr-INT","click_url":"https://NAME-INT.example/click/UUID","event_timestamp":"TIME"}'
    ),
}
PARTS = {
    "UUID": r"[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}",
    "TIME": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z",
    "MONEY": r"(?:0|[1-9]\d*)\.\d{2}",
    "DEGREES": r"-?(?:0|[1-9]\d*)\.\d{4}",
    "INT": r"(?:0|[1-9]\d*)",
    "DEAL": r'(?:,"dealid":"deal-(?:[1-9]|1[0-9])")?',
    "CATEGORIES": r'"IAB\d+"(?:,"IAB\d+"){0,2}',
    "RANK": r"\d{3}",
    "NAME": r"[a-z]+",
    "CODE": r"[A-Z0-9]+",
    "IP": r"[0-9.]+",
    "TEXT": r'[^"\\]+',
}
PATTERNS = {
    stage: re.compile(re.sub("|".join(PARTS), lambda part: PARTS[part[0]], re.sub(r"([{}\[\].])", r"\\\1", form)))
    for stage, form in FORMS.items()
}

# Per cent of all requests. A row is a device type and system, its phones and tablets together; a column a banner size.
SIZES = ((300, 250), (728, 90), (160, 600), (320, 50), (970, 250))
JOINT = {
    (2, "Windows"): (4, 5, 6, 0, 5),
    (2, "macOS"): (2, 3, 2, 0, 3),
    (1, "iOS"): (12, 7, 5, 5, 1),
    (1, "Android"): (15, 5, 2, 7, 1),
    (4, "iOS"): (4, 0, 0, 1, 0),
    (4, "Android"): (3, 0, 0, 2, 0),
}
SHARES = {
    "device and size": {(*row, *size): share for row in JOINT for size, share in zip(SIZES, JOINT[row]) if share},
    "country": {"USA": 50, "GBR": 15, "DEU": 10, "CAN": 10, "AUS": 10, "FRA": 5},
    "auction type": {1: 70, 2: 30},
    "tmax": {100: 20, 120: 20, 150: 20, 200: 20, 300: 20},
    "COPPA": {0: 95, 1: 5},
    "COPPA in the USA": {0: 90, 1: 10},
    "GDPR": {0: 70, 1: 30},
    "deal": {False: 90, True: 10},
    "seat": {"seat-alpha": 35, "seat-beta": 25, "seat-gamma": 18, "seat-delta": 13, "seat-epsilon": 9},
}


def main() -> None:
    run = Run("--count", AUCTIONS, *ALWAYS)
    funnels: dict[str, dict[str, dict]] = defaultdict(dict)
    for record in run:
        text = record.value.decode()
        require(bool(PATTERNS[record.stage].fullmatch(text)), f"not the form of a {record.stage}: {text}")
        document = record.document()
        request_id = document["ext"]["request_id"] if record.stage == "response" else document.get("request_id")
        funnels[request_id or document["id"]][record.stage] = document
    expect("auctions", len(funnels), AUCTIONS)
    for request_id, funnel in funnels.items():
        expect(f"stages of {request_id}", tuple(funnel), STAGES)
        check_times(request_id, *funnel.values())
        check_repeats(request_id, *funnel.values())
    records = AUCTIONS * len(STAGES)
    say(f"{records:,} documents have the product document's exact form, two decimals of money and four of degrees")
    say(f"{len(funnels):,} funnels keep the ranges of delays and repeat sizes, seats, creatives, domains and ids")
    check_prices(funnels)
    check_creatives(funnels)
    check_shares(funnels)


def ms_between(first: str, second: str) -> int:
    return (datetime.fromisoformat(second) - datetime.fromisoformat(first)) // timedelta(milliseconds=1)


def check_times(where: str, request: dict, response: dict, impression: dict, click: dict) -> None:
    start = request["event_timestamp"]
    received = ms_between(start, request["received_at"])
    require(1 <= received <= 50, f"{where}: received {received} ms after the request")
    responded = ms_between(start, response["event_timestamp"])
    earliest, latest = max(5, received + 1), min(80, request["tmax"] - 5)
    require(earliest <= responded <= latest, f"{where}: response after {responded} ms, not {earliest} to {latest}")
    shown = ms_between(start, impression["event_timestamp"])
    require(100 <= shown <= 500 and shown > responded, f"{where}: impression {shown} ms after the request")
    clicked = ms_between(impression["event_timestamp"], click["event_timestamp"])
    require(1_000 <= clicked <= 10_000, f"{where}: click {clicked} ms after the impression")


def check_repeats(where: str, request: dict, response: dict, impression: dict, click: dict) -> None:
    (seatbid,) = response["seatbid"]
    (bid,) = seatbid["bid"]
    banner = request["imp"][0]["banner"]
    expect(f"{where}: size of the bid", (bid["w"], bid["h"]), (banner["w"], banner["h"]))
    require(banner["pos"] in (0, 1, 3, 4), f"{where}: pos {banner['pos']}")
    names = (seatbid["seat"], bid["crid"])
    expect(f"{where}: impression", (impression["bidder_id"], impression["creative_id"]), names)
    expect(f"{where}: click", (click["bidder_id"], click["creative_id"]), names)
    expect(f"{where}: response_id", impression["response_id"], response["id"])
    expect(f"{where}: impression_id", click["impression_id"], impression["impression_id"])
    expect(f"{where}: advertiser", [impression["ad_domain"]], bid["adomain"])
    expect(f"{where}: host of click_url", [click["click_url"].split("/")[2]], bid["adomain"])
    site = request["site"]
    expect(f"{where}: host of the page", site["page"].split("/")[2], site["domain"])
    country = request["device"]["geo"]["country"]
    expect(f"{where}: GDPR in {country}", request["regs"]["ext"]["gdpr"], int(country in ("GBR", "DEU", "FRA")))


def check_prices(funnels: dict[str, dict[str, dict]]) -> None:
    floors, kinds = [], Counter()
    margins: dict[object, list[Decimal]] = defaultdict(list)
    for where, funnel in funnels.items():
        request = funnel["request"]
        (imp,) = request["imp"]
        floor, price = imp["bidfloor"], funnel["response"]["seatbid"][0]["bid"][0]["price"]
        paid = funnel["impression"]["win_price"]
        require(Decimal("0.01") <= floor <= 5, f"{where}: floor {floor}")
        require(price >= floor, f"{where}: price {price} under the floor {floor}")
        if request["at"] == 1:
            expect(f"{where}: paid at first price", paid, price)
        else:
            require(floor <= paid <= price, f"{where}: paid {paid} at second price, not {floor} to {price}")
        kind = ("floor", "price")[paid > floor] if paid in (floor, price) else "between"
        kinds[request["at"], kind] += 1
        floors.append(floor)
        for trait in ((imp["banner"]["w"], imp["banner"]["h"]), request["device"]["geo"]["country"]):
            margins[trait].append(price / floor - 1)
    middle = median(floors)
    require(abs(middle - Decimal("0.60")) <= Decimal("0.02"), f"the median floor is {middle}, not about 0.60")
    medians = {name: round(float(median(values)), 2) for name, values in margins.items()}
    for dear, cheap in (((970, 250), (320, 50)), ("USA", "FRA")):
        require(medians[dear] > medians[cheap], f"bids for {dear} are not above those for {cheap}: {medians}")
    say(f"{len(floors):,} floors from {min(floors)} to {max(floors)}, median {middle}, no price under its floor")
    first, second = (sum(count for (at, _), count in kinds.items() if at == which) for which in (1, 2))
    say(
        f"{first:,} winners pay their price at first price; {second:,} at second price, of them {kinds[2, 'floor']:,}"
        f" the floor, {kinds[2, 'between']:,} between, {kinds[2, 'price']:,} the price"
    )


def check_creatives(funnels: dict[str, dict[str, dict]]) -> None:
    """Each creative has one seat and one advertiser of its own; there is a fixed set a seat."""
    owner: dict[str, tuple[str, str]] = {}
    for where, funnel in funnels.items():
        (seatbid,) = funnel["response"]["seatbid"]
        (bid,) = seatbid["bid"]
        found = (seatbid["seat"], bid["adomain"][0])
        expect(f"{where}: seat and advertiser of {bid['crid']}", found, owner.setdefault(bid["crid"], found))
    expect("advertisers", len({domain for _, domain in owner.values()}), len(owner))
    say(f"{len(owner)} creatives, each of one seat and with an advertiser of its own")


def check_shares(funnels: dict[str, dict[str, dict]]) -> None:
    """Every share lies within five standard deviations of its weight, and what cannot be never is."""
    counts: dict[str, Counter] = {name: Counter() for name in SHARES}
    for funnel in funnels.values():
        request, (seatbid,) = funnel["request"], funnel["response"]["seatbid"]
        device, banner, regs = request["device"], request["imp"][0]["banner"], request["regs"]
        country = device["geo"]["country"]
        counts["device and size"][device["devicetype"], device["os"], banner["w"], banner["h"]] += 1
        counts["country"][country] += 1
        counts["auction type"][request["at"]] += 1
        counts["tmax"][request["tmax"]] += 1
        counts["COPPA"][regs["coppa"]] += 1
        if country == "USA":
            counts["COPPA in the USA"][regs["coppa"]] += 1
        require(country == "USA" or regs["coppa"] == 0, f"COPPA in {country}")
        counts["GDPR"][regs["ext"]["gdpr"]] += 1
        counts["deal"]["dealid" in seatbid["bid"][0]] += 1
        counts["seat"][seatbid["seat"]] += 1
    worst = 0.0
    for name, percents in SHARES.items():
        total = counts[name].total()
        require(set(counts[name]) <= set(percents), f"{name}: {set(counts[name]) - set(percents)} cannot be")
        for value, percent in percents.items():
            expected, found = total * percent / 100, counts[name][value]
            off = abs(found - expected) / sqrt(expected * (1 - percent / 100))
            require(off <= 5, f"{name} {value}: {found:,} of {total:,}, expected {percent} %, off by {off:.1f} sigma")
            worst = max(worst, off)
    say(f"{sum(map(len, SHARES.values()))} shares of {len(SHARES)} distributions, the worst off by {worst:.1f} sigma")


if __name__ == "__main__":
    main()
