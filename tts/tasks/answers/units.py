"""Units of measure: what may be left out of an answer, by its spellings; and what multiplies the number before it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tts.tasks.answers.tokens import Token
from tts.tasks.answers.vocabulary import words

_SPELLINGS = """
metre: m meter meters metre metres 米 公尺 メートル
kilometre: km kms kilometer kilometers kilometre kilometres 千米 公里
decimetre: dm decimeter decimeters decimetre decimetres 分米
centimetre: cm cms centimeter centimeters centimetre centimetres 厘米 公分
millimetre: mm millimeter millimeters millimetre millimetres 毫米
microgram: μg
microsecond: μs
microlitre: μL
microcoulomb: μC
microfarad: μF
micrometre: μm um micrometer micrometers micrometre micrometres micron microns 微米
nanometre: nm nanometer nanometers nanometre nanometres 纳米
picometre: picometer picometers picometre picometres
pm: pm
am: am
inch: in inch inches 英寸
foot: ft foot feet 英尺
yard: yd yds yard yards 码
mile: mi mile miles 英里
light-year: ly lightyear lightyears light-year light-years 光年
hectare: ha hectare hectares 公顷
acre: acre acres
litre: L l liter liters litre litres 升
millilitre: mL ml milliliter milliliters millilitre millilitres 毫升
centilitre: cL cl
gallon: gal gallon gallons
quart: qt qts quart quarts
pint: pt pts pint pints
ounce: oz ounce ounces
pound: lb lbs pound pounds
cup: cup cups
tablespoon: tbsp tablespoon tablespoons
teaspoon: tsp teaspoon teaspoons
gram: g gram grams gramme grammes 克
kilogram: kg kgs kilogram kilograms kilogramme kilogrammes kilo kilos 千克 公斤
milligram: mg milligram milligrams 毫克
tonne: t ton tons tonne tonnes 吨
stone: stone stones
second: s sec secs second seconds 秒 秒钟
millisecond: ms millisecond milliseconds 毫秒
minute: min mins minute minutes 分钟
hour: h hr hrs hour hours 小时 时 時間
day: day days 天 日
week: wk wks week weeks 周 星期
month: month months mo 个月 月
year: yr yrs year years 年
decade: decade decades
century: century centuries 世纪
degree: deg degs degree degrees 度
radian: rad rads radian radians 弧度
arcminute: arcmin arcminute arcminutes
revolution: rev revs revolution revolutions
celsius: celsius 摄氏度
fahrenheit: fahrenheit 华氏度
kelvin: K kelvin kelvins
percent: % percent pct percentage 百分
dollar: $ USD usd dollar dollars buck bucks 美元
cent: ¢ cent cents penny pennies
euro: € EUR euro euros 欧元
sterling: £ GBP quid 英镑
pence: pence
yuan: ¥ CNY RMB yuan 元 块 块钱 人民币
yen: JPY yen 円 日元
rupee: ₹ Rs INR rupee rupees
won: ₩ KRW won
rouble: ₽ RUB rouble roubles ruble rubles
franc: CHF franc francs
peso: peso pesos
newton: N newton newtons 牛 牛顿
joule: J joule joules 焦耳 焦
kilojoule: kJ kilojoule kilojoules
calorie: cal calorie calories
kilocalorie: kcal kilocalorie kilocalories
watt: W watt watts 瓦 瓦特
kilowatt: kW kilowatt kilowatts 千瓦
megawatt: MW megawatt megawatts
kilowatt-hour: kWh kilowatt-hours
volt: V volt volts 伏 伏特
ampere: A amp amps ampere amperes 安培
milliampere: mA
ohm: ohm ohms Ω 欧姆
coulomb: C coulomb coulombs
farad: F farad farads
tesla: T tesla teslas
pascal: Pa pascal pascals 帕
kilopascal: kPa kilopascals
atmosphere: atm atmosphere atmospheres
hertz: Hz hertz 赫兹
kilohertz: kHz kilohertz
megahertz: MHz megahertz
gigahertz: GHz gigahertz
electronvolt: eV electronvolt electronvolts
mole: mol mole moles 摩尔
byte: byte bytes B
kilobyte: KB kB kilobyte kilobytes
megabyte: MB megabyte megabytes
gigabyte: GB gigabyte gigabytes
bit: bit bits
mile_/hour: mph
kilometre_/hour: kph kmh kmph
revolution_/minute: rpm
mile_/gallon: mpg
metre_/second: mps
point: point points 分
unit: unit units u 单位
time: time times 次 回 倍
piece: piece pieces pc pcs 个 個 只 件 张 本 条 支 枝 根 颗 粒 台 辆 名
piece: 位 家 所 种 份 袋 箱 盒 瓶 杯 头 匹 棵 朵 间 座 层 页 行 组 对 つ
person: person people persons pax 人
age: 岁 歳
"""
UNITS = {
    spelling: name.replace("_", " ")
    for line in _SPELLINGS.strip().splitlines()
    for name, _, spellings in [line.partition(": ")]
    for spelling in spellings.split()
}
_POWERS = {"square": "2", "sq": "2", "squared": "2", "平方": "2", "cubic": "3", "cu": "3", "cubed": "3", "立方": "3"}
MULTIPLIERS = {
    "dozen": 12, "hundred": 10**2, "thousand": 10**3, "million": 10**6, "millions": 10**6, "billion": 10**9,
    "billions": 10**9, "trillion": 10**12, "lakh": 10**5, "crore": 10**7, "万": 10**4, "萬": 10**4, "亿": 10**8,
    "億": 10**8, "千": 10**3, "百": 10**2, "百万": 10**6, "千万": 10**7,
}  # fmt: skip
PREFIXES = words("$ £ € ¥ ₹ ₩ ₽ ¢ Rs USD EUR GBP CNY RMB INR US")
"""Currencies that stand before the number, too."""
_GLUED = words(
    "cm mm km dm kg mg ml mL ft mph kph kmh rpm lb lbs oz hr hrs min sec mi Hz kHz MHz GHz kPa Pa kJ kW mol yd "
    "gal deg rad nm GB MB KB yr yrs"
)
"""Units that letters right behind a number are, and not a product of variables."""
_ALONE = words("m g s h L l N J W V K")
"""Letters that are units where a blank stands between the number and them."""
_SUPERFLUOUS = frozenset(["a", "an", "the", "of", "each", "every"])


def known_unit(tokens: Sequence[Token], first: bool = True) -> str | None:
    """Returns the canonical name of a unit of measure, None where the tokens are none: `m/s`, `cubic feet`, `cm^2`.

    Args:
        tokens: All tokens behind a number.
        first: Whether the number stands right before them.
    """
    parts: list[str] = []
    power, per, enclosed, place = "", False, False, 0
    tokens = _joined(tokens)
    while place < len(tokens):
        token = tokens[place]
        place += 1
        text = token.text
        if text in ("/", "per", "p", "每") and parts and not per and token.kind in ("mark", "word"):
            per = True
            enclosed = tokens[place : place + 1] != [] and tokens[place].text == "("
            place += enclosed
            continue
        if text == "*" and parts:
            continue
        if text == ")" and enclosed:
            enclosed = False
            continue
        if token.kind == "word" and text.lower() in _POWERS:
            name = _POWERS[text.lower()]
            if text.lower() in ("squared", "cubed"):
                if not parts:
                    return None
                parts[-1] += f"^{name}"
            else:
                power = name
            continue
        if token.kind == "word" and parts and text in _SUPERFLUOUS and place < len(tokens):
            per = per or text in ("a", "an", "each", "every")
            continue
        found = _name(token, bool(parts) or bool(power) or not first)
        if found is None:
            return None
        exponent, place = _exponent(tokens, place)
        if exponent is None:
            return None
        exponent = power or exponent
        inverse = exponent.startswith("-")
        exponent = exponent.lstrip("-")
        parts.append(f"{'/' if per or inverse else ''}{found}{'' if exponent == '1' else f'^{exponent}'}")
        power, per = "", enclosed
    per = per and not enclosed and not parts
    return " ".join(sorted(parts, key=lambda part: part.startswith("/"))) if parts and not per and not power else None


def _joined(tokens: Sequence[Token]) -> list[Token]:
    """Returns tokens without signs of products and full stops (`sq. ft.`), and the prefix of a micrometre in one."""
    made: list[Token] = []
    for token in _in_line(tokens):
        if made and made[-1].text == "mu" and token.kind == "word":
            made[-1] = replace(token, text=f"μ{token.text}", upright=True)
        elif token.text != "." and (token.kind, token.text) not in (("command", "times"), ("command", "cdot")):
            made.append(token)
    return made


def _in_line(tokens: Sequence[Token]) -> Sequence[Token]:
    r"""Returns a unit in a fraction in one line: \frac{\text{km}}{\text{h}}."""
    texts = [token.text for token in tokens]
    if texts[:2] != ["frac", "{"] or texts[-1] != "}" or texts[2:].count("{") != 1 or texts.count("}") != 2:
        return tokens
    middle = texts.index("}")
    return [*tokens[2:middle], Token("mark", "/"), *tokens[middle + 2 : -1]]


def same_unit(one: str, other: str) -> bool:
    """Returns whether two units may be the same; nameless units (`square units`) are any."""
    bare = {"unit", "unit^2", "unit^3"}
    return one.lower() == other.lower() or one in bare or other in bare


def _name(token: Token, inside: bool) -> str | None:
    text = token.text
    if token.kind == "mark":
        return UNITS.get(text) if not text.isalnum() else None
    if token.kind == "command":
        return {"Omega": "ohm", "mu": None}.get(text)
    if token.kind != "word":
        return None
    if not text.isascii():
        return UNITS.get(text) or _han(text)
    name = UNITS.get(text) or (UNITS.get(text.lower()) if len(text) > 2 else None)
    if name is None or inside or (token.upright and (token.blank or len(text) > 1 or text in _ALONE)):
        return name
    if token.blank:
        return name if len(text) > 1 or text in _ALONE else None
    return name if text in _GLUED or len(text) > 3 else None


def _han(text: str) -> str | None:
    """Returns the unit that a run of Chinese characters names: 米, 平方厘米, 个苹果, 千米每小时."""
    for prefix in ("平方", "立方"):
        if text.startswith(prefix) and text[2:] in UNITS:
            return f"{UNITS[text[2:]]}^{_POWERS[prefix]}"
    if "每" in text:
        top, _, bottom = text.partition("每")
        names = _han(top), _han(bottom)
        return f"{names[0]} /{names[1]}" if None not in names else None
    if text in UNITS:
        return UNITS[text]
    return "piece" if UNITS.get(text[:1]) == "piece" and text[1:2] not in "半多余几" else None


def _exponent(tokens: Sequence[Token], place: int) -> tuple[str | None, int]:
    """Returns the exponent that stands at a place, "1" where none does and None where it is no integer; and its end."""
    if place >= len(tokens) or tokens[place].text != "^":
        return "1", place
    place += 1
    texts = [token.text for token in tokens[place : place + 4]]
    for width, pattern in ((4, ("{", "-", None, "}")), (3, ("{", None, "}")), (2, ("-", None)), (1, (None,))):
        window = texts[:width]
        if len(window) == width and all(want in (None, text) for want, text in zip(pattern, window, strict=True)):
            digits = window[pattern.index(None)]
            if digits.isdecimal():
                return ("-" if "-" in window else "") + digits, place + width
    return None, place


def currency(tokens: Sequence[Token]) -> tuple[str, int] | None:
    """Returns the currency that stands before a number, and its width in tokens: `$`, `US$`, `Rs.`."""
    place = 0
    while place < len(tokens) and tokens[place].text in PREFIXES and tokens[place].kind in ("mark", "word"):
        place += 1
    if not place or place >= len(tokens):
        return None
    name = UNITS[tokens[place - 1].text] if tokens[place - 1].text != "US" else None
    place += tokens[place].text == "." and tokens[place - 1].text == "Rs"
    return (name, place) if name else None
