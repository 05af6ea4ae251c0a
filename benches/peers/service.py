"""A Python service of the kind that the product document describes: faker, json, uuid4, wall-clock times; a peer of the benchmarks.

usage: service.py COUNT [BROKERS]    COUNT requests and what follows from them, to nowhere or into Kafka by kafka-python-ng
"""

import json
import random
import sys
import time
import uuid
from datetime import datetime, timedelta, timezone

from faker import Faker

TOPICS = ["py-bid-requests", "py-bid-responses", "py-impressions", "py-clicks"]
SIZES, WEIGHTS = [(300, 250), (728, 90), (160, 600), (320, 50), (970, 250)], [40, 20, 15, 15, 10]
SEATS = ["seat-alpha", "seat-beta", "seat-gamma", "seat-delta", "seat-epsilon"]
PLACES = {"USA": (37.77, -122.41, "CA"), "GBR": (51.5, -0.12, "ENG"), "DEU": (52.52, 13.4, "BE"), "CAN": (43.65, -79.38, "ON")}
faker = Faker()


def stamp(moment):
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def request(now):
    width, height = random.choices(SIZES, WEIGHTS)[0]
    country = random.choices(list(PLACES), [50, 15, 10, 10])[0]
    lat, lon, region = PLACES[country]
    site = random.randint(1, 500)
    domain = f"site-{site:03}.example"
    return {
        "id": str(uuid.uuid4()),
        "imp": [{"id": "1", "banner": {"w": width, "h": height, "pos": random.choice([0, 1, 3])},
                 "bidfloor": round(random.uniform(0.1, 5), 2), "bidfloorcur": "USD", "secure": 1}],
        "site": {"id": f"site-{site:03}", "domain": domain, "cat": random.sample(["IAB1", "IAB2", "IAB3", "IAB9"], 2),
                 "page": f"https://{domain}/article/{random.randint(1, 100000)}",
                 "publisher": {"id": f"pub-{site % 150:03}", "name": f"Example Publisher {site % 150:03}"}},
        "device": {"ua": faker.user_agent(), "ip": faker.ipv4_public(),
                   "geo": {"lat": round(lat + random.uniform(-0.1, 0.1), 4), "lon": round(lon + random.uniform(-0.1, 0.1), 4),
                           "country": country, "region": region},
                   "devicetype": random.choice([1, 2, 4]), "os": random.choice(["iOS", "Android", "Windows"]), "osv": "17.0"},
        "user": {"id": str(uuid.uuid4()), "buyeruid": str(uuid.uuid4())},
        "at": random.choice([1, 2]), "tmax": random.choice([100, 120, 150]), "cur": ["USD"],
        "source": {"fd": 1, "tid": str(uuid.uuid4())}, "regs": {"coppa": 0, "ext": {"gdpr": int(country in ("GBR", "DEU"))}},
        "event_timestamp": stamp(now), "received_at": stamp(now + timedelta(milliseconds=random.randint(1, 50))),
    }


def response(asked, now):
    creative = random.randint(1000, 1419)
    return {
        "id": str(uuid.uuid4()),
        "seatbid": [{"seat": random.choice(SEATS), "bid": [{
            "id": str(uuid.uuid4()), "impid": "1", "price": round(asked["imp"][0]["bidfloor"] * random.uniform(1, 2), 2),
            "adid": str(uuid.uuid4()), "crid": f"cr-{creative}", "adomain": [f"brand-{creative}.example"],
            "w": asked["imp"][0]["banner"]["w"], "h": asked["imp"][0]["banner"]["h"]}]}],
        "bidid": str(uuid.uuid4()), "cur": "USD", "ext": {"request_id": asked["id"]}, "event_timestamp": stamp(now),
    }


def funnel(now):
    asked = request(now)
    yield 0, asked["id"], asked
    if random.random() >= 0.6:
        return
    answer = response(asked, now + timedelta(milliseconds=random.randint(5, 80)))
    yield 1, answer["id"], answer
    if random.random() >= 0.15:
        return
    bid = answer["seatbid"][0]["bid"][0]
    shared = {"request_id": asked["id"], "imp_id": "1", "bidder_id": answer["seatbid"][0]["seat"], "creative_id": bid["crid"]}
    shown = {"impression_id": str(uuid.uuid4()), "response_id": answer["id"], **shared, "win_price": bid["price"], "win_currency": "USD",
             "ad_domain": bid["adomain"][0], "event_timestamp": stamp(now + timedelta(milliseconds=random.randint(100, 500)))}
    yield 2, shown["impression_id"], shown
    if random.random() < 0.02:
        clicked = {"click_id": str(uuid.uuid4()), "impression_id": shown["impression_id"], **shared,
                   "click_url": f"https://{bid['adomain'][0]}/click/{uuid.uuid4()}", "event_timestamp": stamp(now + timedelta(seconds=3))}
        yield 3, clicked["click_id"], clicked


def main():
    count = int(sys.argv[1])
    producer = None
    if len(sys.argv) > 2:
        from kafka import KafkaProducer

        producer = KafkaProducer(bootstrap_servers=sys.argv[2], value_serializer=lambda v: json.dumps(v).encode(), key_serializer=str.encode)
    begin, records, size = time.perf_counter(), 0, 0
    for _ in range(count):
        for stage, key, document in funnel(datetime.now(timezone.utc)):
            if producer:
                producer.send(TOPICS[stage], key=key, value=document)
            else:
                size += len(json.dumps(document).encode())
            records += 1
    if producer:
        producer.flush()
    print(json.dumps({"records": records, "bytes": size, "seconds": round(time.perf_counter() - begin, 6)}))


main()
