"""The catalog in the eyes of others: `ua-parser` reads the user agents, `pycountry` knows countries and regions,
`ipaddress` the reserved networks, `statistics.NormalDist` gives the price curve; and the pool of users is counted.
"""

import re
from collections import Counter
from decimal import Decimal
from ipaddress import ip_address, ip_network
from math import exp
from statistics import NormalDist

import pycountry
from ua_parser import parse

from common import ROOT, Run, expect, fail, require, say

FAMILIES = {"iOS": "iOS", "Android": "Android", "Windows": "Windows", "macOS": "Mac OS X"}
"""What `ua-parser` calls the systems of `device.os`."""

NETWORKS = [ip_network(text) for text in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "198.18.0.0/15")]
SUBJECT_CODES = {f"IAB{number}" for number in range(1, 24)}

POOL = 4_000
DEVICE_PERCENT = {
    (2, "Windows"): 20,
    (2, "macOS"): 10,
    (1, "iOS"): 30,
    (1, "Android"): 30,
    (4, "iOS"): 5,
    (4, "Android"): 5,
}
COUNTRY_PERCENT = {"USA": 50, "GBR": 15, "DEU": 10, "CAN": 10, "AUS": 10, "FRA": 5}


def main() -> None:
    check_price_curve()
    requests = [record.document() for record in Run("--count", 40_000, "--bid-response-rate", 0)]
    check_user_agents(requests)
    check_geo(requests)
    check_addresses(requests)
    check_sites(requests)
    check_pool()


def catalog(name: str) -> str:
    return (ROOT / "src/generator/catalog" / name).read_text()


def check_price_curve() -> None:
    match = re.search(r"LOG_NORMAL: \[u32; 257\] = \[([\d_,\s]+)\];", catalog("prices.rs"))
    if not match:
        fail("src/generator/catalog/prices.rs has no table LOG_NORMAL of 257 entries")
    found = [int(entry) for entry in match[1].split(",") if entry.strip()]
    points = [1 / 2048, *(index / 256 for index in range(1, 256)), 2047 / 2048]
    expected = [round(1e6 * exp(0.8 * NormalDist().inv_cdf(point))) for point in points]
    expect("entries of LOG_NORMAL", len(found), len(expected))
    for index, pair in enumerate(zip(found, expected)):
        expect(f"LOG_NORMAL[{index}]", *pair)
    say(f"{len(found)} quantiles of the price curve are those of a log-normal shape with sigma 0.8")


def check_user_agents(requests: list[dict]) -> None:
    devices = {(d["ua"], d["os"], d["devicetype"]) for d in (request["device"] for request in requests)}
    kinds: Counter[tuple] = Counter()
    for ua, system, devicetype in sorted(devices):
        parsed = parse(ua)
        family = parsed.os.family if parsed.os else None
        expect(f"ua-parser's system of {ua}", family, FAMILIES[system])
        kind = parsed.device.family if parsed.device else None
        mobile = system in ("iOS", "Android")
        require(mobile == (devicetype != 2), f"devicetype {devicetype} on {system}")
        require((kind in ("iPhone", "iPad")) == (system == "iOS"), f"ua-parser's device of {ua} is {kind}, on {system}")
        require(devicetype != 4 or kind != "iPad", f"an iPad is no phone: {ua}")
        kinds[system, parsed.user_agent.family if parsed.user_agent else None] += 1
    agents = {ua for ua, _, _ in devices}
    browsers = ", ".join(sorted(f"{browser} on {system}" for system, browser in kinds))
    say(f"ua-parser reads the {len(agents)} user agents of {len(requests):,} requests as intended: {browsers}")


def check_geo(requests: list[dict]) -> None:
    places = listed_places()
    seen = set()
    for request in requests:
        geo = request["device"]["geo"]
        country, region, lat, lon = geo["country"], geo["region"], geo["lat"], geo["lon"]
        seen.add((country, region))
        require(abs(lat) <= 90 and abs(lon) <= 180, f"no place on Earth: {lat}, {lon}")
        near = any(
            abs(lat - place_lat) <= Decimal("0.1") and abs(lon - place_lon) <= Decimal("0.1")
            for place_lat, place_lon in places.get((country, region), ())
        )
        require(near, f"{lat}, {lon} is not within 0.10 degrees of a place of {country} {region}")
    for country, region in sorted(seen | set(places)):
        known = pycountry.countries.get(alpha_3=country)
        require(known is not None, f"pycountry knows no country {country}")
        code = f"{known.alpha_2}-{region}"
        require(pycountry.subdivisions.get(code=code) is not None, f"pycountry knows no subdivision {code}")
    countries = {country for country, _ in places}
    expect("countries seen", {country for country, _ in seen}, countries)
    say(f"pycountry knows the {len(countries)} countries and {len(places)} regions, of which {len(seen)} were seen")
    say(f"{len(requests):,} coordinates lie within 0.10 degrees of one of the {sum(map(len, places.values()))} places")


def listed_places() -> dict[tuple[str, str], list[tuple[Decimal, Decimal]]]:
    """The places of each country and region in src/generator/catalog/places.rs."""
    places = {}
    tables = re.findall(r"const ([A-Z]{3}): \[Region; (\d+)\] = \[(.*?)\n\];", catalog("places.rs"), re.S)
    for country, count, body in tables:
        regions = re.findall(r'region\(\s*"(\w+)",\s*[\d_]+,\s*&\[(.*?)\]', body, re.S)
        expect(f"regions of {country} in places.rs", len(regions), int(count))
        for region, points in regions:
            pairs = re.findall(r"at\(\s*(-?[\d_]+),\s*(-?[\d_]+)", points)
            require(bool(pairs), f"no place of {country} {region} in places.rs")
            places[country, region] = [(Decimal(lat) / 10_000, Decimal(lon) / 10_000) for lat, lon in pairs]
    expect("countries in places.rs", {country for country, _ in places}, set(COUNTRY_PERCENT))
    return places


def check_addresses(requests: list[dict]) -> None:
    networks: Counter[str] = Counter()
    for text in {request["device"]["ip"] for request in requests}:
        address = ip_address(text)
        network = next((network for network in NETWORKS if address in network), None)
        require(network is not None, f"{address} is in no reserved network")
        require(address not in (network[0], network[-1]), f"{address} is no host of {network}")
        networks[str(network)] += 1
    counts = ", ".join(f"{count:,} of {network}" for network, count in sorted(networks.items()))
    say(f"all addresses are hosts of reserved networks: {counts}")


def check_sites(requests: list[dict]) -> None:
    views: Counter[str] = Counter()
    sites: dict[str, tuple] = {}
    codes: set[str] = set()
    for site in (request["site"] for request in requests):
        whole = (site["domain"], tuple(site["cat"]), tuple(site["publisher"].items()))
        expect(f"domain, categories and publisher of {site['id']}", whole, sites.setdefault(site["id"], whole))
        views[site["id"]] += 1
        codes.update(site["cat"])
        require(1 <= len(set(site["cat"])) == len(site["cat"]) <= 3, f"categories {site['cat']}")
        require(site["domain"].endswith(f"{site['id'][4:]}.example"), f"{site['domain']} of {site['id']}")
        require(site["page"].startswith(f"https://{site['domain']}/"), f"{site['page']} is not on {site['domain']}")
    require(codes <= SUBJECT_CODES, f"categories {codes - SUBJECT_CODES}")
    expect("domains", len({domain for domain, _, _ in sites.values()}), len(sites))
    # Popularity falls as 1/rank: of 500 sites, 1 to 10 have 43.1 % of the views, and 101 to 500 have 23.7 %.
    top, tail = (sum(views[f"site-{rank:03}"] for rank in ranks) for ranks in (range(1, 11), range(101, 501)))
    top, tail = 100 * top / len(requests), 100 * tail / len(requests)
    require(
        40 <= top <= 46 and 21 <= tail <= 27, f"sites 1 to 10 have {top:.1f} %, 101 to 500 {tail:.1f} % of the views"
    )
    say(
        f"{len(sites)} sites keep their own .example domain, publisher and categories ({len(codes)} of IAB1-IAB23);"
        f" sites 1 to 10 have {top:.1f} % of the views, 101 to 500 {tail:.1f} %"
    )


def check_pool() -> None:
    """A pool of a multiple of 4,000 users has every share exactly, and a user never changes."""
    users: dict[str, tuple] = {}
    auctions = 60_000
    for record in Run("--count", auctions, "--users", POOL, "--bid-response-rate", 0):
        request = record.document()
        traits = (request["device"], request["regs"]["coppa"], request["user"]["buyeruid"])
        expect(f"traits of user {request['user']['id']}", traits, users.setdefault(request["user"]["id"], traits))
    expect(f"users of a pool of {POOL:,} in {auctions:,} auctions", len(users), POOL)
    found: Counter[tuple] = Counter()
    for device, coppa, _ in users.values():
        found[(device["devicetype"], device["os"]), device["geo"]["country"], coppa] += 1
    for device, device_percent in DEVICE_PERCENT.items():
        for country, country_percent in COUNTRY_PERCENT.items():
            count = POOL * device_percent * country_percent // 10_000
            children = count // 10 if country == "USA" else 0
            expect(f"children among users with {device} in {country}", found[device, country, 1], children)
            expect(f"other users with {device} in {country}", found[device, country, 0], count - children)
    expect("users of the listed devices and countries", found.total(), POOL)
    say(f"{POOL:,} users keep their traits; {len(found)} shares of device, country and COPPA are exact")


if __name__ == "__main__":
    main()
