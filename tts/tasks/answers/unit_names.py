"""Units of measure by their spellings: plurals, abbreviations, other languages."""

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
kilonewton: kN kilonewton kilonewtons
joule: J joule joules 焦耳 焦
kilojoule: kJ kilojoule kilojoules
megajoule: MJ megajoule megajoules
calorie: cal calorie calories
kilocalorie: kcal kilocalorie kilocalories
watt: W watt watts 瓦 瓦特
kilowatt: kW kilowatt kilowatts 千瓦
megawatt: MW megawatt megawatts
kilowatt_hour: kWh
millivolt: mV
kilovolt: kV
milliwatt: mW
gigawatt: GW
volt: V volt volts 伏 伏特
ampere: A amp amps ampere amperes 安培
milliampere: mA
ohm: ohm ohms Ω 欧姆
coulomb: C coulomb coulombs
farad: F farad farads
tesla: T tesla teslas
pascal: Pa pascal pascals 帕
kilopascal: kPa kilopascal kilopascals
megapascal: MPa megapascal megapascals
atmosphere: atm atmosphere atmospheres
hertz: Hz hertz 赫兹
kilohertz: kHz kilohertz
megahertz: MHz megahertz
gigahertz: GHz gigahertz
electronvolt: eV electronvolt electronvolts
kiloelectronvolt: keV
megaelectronvolt: MeV
gigaelectronvolt: GeV
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
"""From each spelling to the name of its unit."""
