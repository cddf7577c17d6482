"""Two public data sets (from npm's vega-datasets) as events with a key, a value and headers."""

import csv
import json
from collections import defaultdict
from pathlib import Path


class Flights:
    """20,000 flights in the United States in 2001: which airports do they leave late?"""

    name = "flights"

    def __init__(self):
        self.count = defaultdict(int)
        self.delay = defaultdict(int)

    @staticmethod
    def events(folder: Path):
        for flight in json.loads((folder / "flights-20k.json").read_text()):
            route = f"{flight['origin']}-{flight['destination']}"
            yield flight["origin"], json.dumps(flight), {"source": "flights-20k", "route": route}

    def take(self, key: str, value: str):
        self.count[key] += 1
        self.delay[key] += json.loads(value)["delay"]

    def lines(self):
        for origin in sorted(self.count):
            yield f"{origin} {self.count[origin]} flights, {self.delay[origin]} minutes late in all"


class Stocks:
    """How deep did each stock fall from its highest price so far? Depends on the order of a key's events."""

    name = "stocks"

    def __init__(self):
        self.peak = defaultdict(float)
        self.worst = defaultdict(float)

    @staticmethod
    def events(folder: Path):
        with open(folder / "stocks.csv", newline="") as file:
            for row in csv.DictReader(file):
                yield row["symbol"], row["price"], {"source": "stocks", "date": row["date"]}

    def take(self, key: str, value: str):
        price = float(value)
        self.peak[key] = max(self.peak[key], price)
        self.worst[key] = max(self.worst[key], 1 - price / self.peak[key])

    def lines(self):
        for symbol in sorted(self.peak):
            yield f"{symbol} fell by {self.worst[symbol] * 100:.1f} % at worst"


DATA_SETS = [Flights, Stocks]
