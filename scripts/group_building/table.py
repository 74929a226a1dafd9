"""The groups: names that a user would give, as WordNet synsets with what they lack and what is too much.

`kinds_of` are synsets (`word#sense`): every class that is a kind of one of them belongs to the group.
WordNet sorts by biology and by purpose, a user by looks: `with_` adds labels, `without` takes labels away.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Group:
    """One line of the table."""

    name: str
    about: str
    kinds_of: tuple[str, ...] = ()
    with_: tuple[str, ...] = ()
    without: tuple[str, ...] = ()


_ANIMALS = (
    Group("cat", "Domestic cats", ("cat#1",), without=("cougar", "lynx")),
    Group("big_cat", "Wild cats, from lynx to tiger", ("big_cat#1",), ("cougar", "lynx")),
    Group("dog", "Dogs of every breed", ("dog#1",)),
    Group("wolf", "Wolves, coyotes and wild dogs", ("wolf#1", "wild_dog#1")),
    Group("fox", "Foxes", ("fox#1",)),
    Group("bear", "Bears, the giant panda among them", ("bear#1",), ("giant panda",)),
    Group("horse", "Horses: ImageNet has one class for them", (), ("sorrel horse",)),
    Group(
        "farm_animal",
        "Animals of a farm",
        (),
        ("rooster", "hen", "goose", "sorrel horse", "hog", "ox", "water buffalo", "ram", "llama"),
    ),
    Group("monkey", "Monkeys, apes and lemurs", ("primate#2",)),
    Group("elephant", "Elephants", ("elephant#1",), ("tusker",)),
    Group("rabbit", "Rabbits and hares", ("leporid#1",)),
    Group("rodent", "Squirrels, hamsters, beavers and their kin", ("rodent#1",)),
    Group("weasel_family", "Weasels, ferrets, otters, skunks and badgers", ("musteline_mammal#1",)),
    Group("bird", "Birds, wild and domestic", ("bird#1",)),
    Group("chicken", "Hens and roosters", (), ("rooster", "hen")),
    Group("fish", "Fishes, sharks and rays among them", ("fish#1",)),
    Group("snake", "Snakes", ("snake#1",)),
    Group("lizard", "Lizards", ("lizard#1",)),
    Group("crocodile", "Crocodiles and alligators", ("crocodilian_reptile#1",)),
    Group("turtle", "Turtles and tortoises", ("turtle#2",)),
    Group("frog", "Frogs", ("frog#1",)),
    Group("insect", "Insects", ("insect#1",)),
    Group("butterfly", "Butterflies", ("butterfly#1",)),
    Group("spider", "Spiders, and harvestmen, which look like them", ("spider#1",), ("harvestman",)),
)

_ON_THE_MOVE = (
    Group(
        "vehicle",
        "Motor vehicles on land, without rails",
        ("motor_vehicle#1", "bus#1"),
        ("forklift", "half track", "harvester", "recreational vehicle", "snowmobile", "tank", "tractor"),
    ),
    Group(
        "car",
        "Cars, also when little more than grille or wheel is seen",
        ("car#1",),
        ("car wheel", "grille", "pickup"),
    ),
    Group(
        "truck",
        "Trucks and vans",
        ("truck#1",),
        ("ambulance", "recreational vehicle", "snowplow"),
        ("minivan",),
    ),
    Group("bus", "Buses", ("bus#1",)),
    Group("motorcycle", "Motorcycles and scooters", ("motorcycle#1",), ("motor scooter",)),
    Group("bicycle", "Bicycles", ("bicycle#1",)),
    Group(
        "train",
        "Trains, locomotives, carriages and trams",
        ("train#1", "locomotive#1", "railroad_car#1"),
        ("streetcar",),
    ),
    Group("boat", "Boats and ships of every size", ("vessel#2",), without=("wreck",)),
    Group("aircraft", "Aircraft, also when little more than a wing is seen", ("aircraft#1",), ("wing",)),
    Group(
        "spacecraft", "Space shuttles, rockets and missiles", ("spacecraft#1", "rocket#1"), ("projectile",)
    ),
    Group("person", "The three classes that name people; no detector of persons", ("person#1",)),
)

_TO_EAT = (
    Group("cup", "Cups and mugs, full or empty", ("mug#4",), ("espresso", "tea cup")),
    Group("bottle", "Bottles and jugs", ("bottle#1",)),
    Group(
        "food",
        "Food, raw or prepared; no drinks",
        ("food#1", "food#2"),
        ("corn",),
        ("menu", "hay", "red wine", "espresso", "tea cup", "eggnog"),
    ),
    Group("fruit", "Fruit", ("edible_fruit#1",)),
    Group("vegetable", "Vegetables", ("vegetable#1",), ("corn",), ("mashed potato", "edible mushroom")),
    Group("mushroom", "Mushrooms and other fungi", ("fungus#1",), ("edible mushroom",)),
    Group("flower", "Flowers", ("flower#1",), ("cardoon", "rapeseed")),
    Group(
        "plant",
        "Plants, growing or cut",
        ("plant#2",),
        ("cardoon", "rapeseed", "flowerpot", "corn", "ear of grain", "rose hip"),
    ),
)

_THINGS = (
    Group(
        "furniture",
        "Chairs, tables, beds, cupboards",
        ("furniture#1",),
        without=("table lamp", "toilet seat"),
    ),
    Group("seat", "Chairs, benches and couches", ("seat#3",), without=("toilet seat",)),
    Group(
        "appliance",
        "Household machines",
        ("home_appliance#1",),
        ("Crock Pot", "electric fan", "hand blower", "space heater", "stove"),
        ("Dutch oven",),
    ),
    Group(
        "computer",
        "Computers, their screens, keyboards and mice",
        ("computer#1",),
        ("computer keyboard", "computer mouse", "CRT screen", "monitor"),
        ("slide rule", "web site"),
    ),
    Group(
        "screen",
        "What shows a picture",
        ("screen#3",),
        ("monitor", "television", "desktop computer", "laptop", "notebook computer", "home theater"),
    ),
    Group(
        "phone",
        "Telephones, and the pocket devices that look like one",
        ("telephone#1",),
        ("hand-held computer", "iPod"),
    ),
    Group("clock", "Clocks and watches", ("clock#1",), ("digital watch", "stopwatch")),
    Group(
        "clothing",
        "What people wear, hats and shoes among it",
        ("clothing#1", "footwear#2"),
        ("cloak", "pickelhaube", "bib"),
        ("Christmas stocking", "mask", "seat belt", "wig"),
    ),
    Group("shoe", "Shoes", ("footwear#2",)),
    Group("hat", "Hats, caps and helmets", ("headdress#1",), ("pickelhaube",)),
    Group("bag", "Bags", ("bag#1",), without=("sleeping bag",)),
    Group("parcel", "Boxes and packets, as delivered", (), ("carton", "crate", "packet", "envelope")),
    Group("instrument", "Musical instruments", ("musical_instrument#1",)),
    Group(
        "tool",
        "Tools of hand and workshop",
        ("tool#1",),
        ("broom", "carpenter's kit", "mop", "paintbrush"),
        ("cleaver", "lawn mower", "plow"),
    ),
    Group("weapon", "Guns and bows", ("weapon#1",), without=("missile", "projectile")),
    Group("ball", "Balls", ("ball#1",), without=("punching bag",)),
    Group(
        "building",
        "Houses, churches, shops, towers",
        ("building#1", "mercantile_establishment#1"),
        (
            "beacon", "bell cote", "castle", "cliff dwelling", "dome", "lumbermill", "mobile home", "prison",
            "thatch", "tile roof", "water tower", "yurt",
        ),
        ("apiary", "home theater"),
    ),
    Group("traffic_sign", "Street signs and traffic lights", ("street_sign#1",), ("traffic light",)),
    Group("landscape", "Mountains, shores and valleys", ("geological_formation#1",), without=("coral reef",)),
)  # fmt: skip

GROUPS = _ANIMALS + _ON_THE_MOVE + _TO_EAT + _THINGS
