//! Countries, their regions and the places that users live at.
//!
//! Country weights are the product document's percentages. Regions carry their ISO 3166-2 code without the country prefix,
//! as OpenRTB's `geo.region` wants it, and a weight in thousandths that follows the population; `pycountry` confirms the
//! codes in `make test-oracles`. A place is a city's coordinates; a user stands at most 0.10 degrees from it, never anywhere
//! in a box, which would put people into the sea.

/// A country, in the order of [`COUNTRIES`].
#[derive(Debug)]
pub struct Country {
    /// ISO 3166-1 alpha-3.
    pub code: &'static str,
    /// Share of the users, in units of 5 %: the six add up to 20.
    pub weight: u8,
    /// Whether the GDPR, or the United Kingdom's copy of it, applies: `regs.ext.gdpr`.
    pub gdpr: bool,
    /// Whether COPPA applies: one child in ten users there, which is 5 % of all.
    pub coppa: bool,
    /// What a price above the floor is multiplied by, in hundredths.
    pub price_percent: u32,
    /// Regions; their weights add up to 1,000.
    pub regions: &'static [Region],
}

/// A first-level subdivision.
#[derive(Debug)]
pub struct Region {
    /// ISO 3166-2 without the country prefix.
    pub code: &'static str,
    /// Share of the country's users, in thousandths.
    pub weight: u32,
    /// Where its users live, equally shared.
    pub places: &'static [Place],
}

/// A city's coordinates in 1e-4 degrees.
#[derive(Debug)]
pub struct Place {
    /// Latitude, north positive.
    pub lat_e4: i32,
    /// Longitude, east positive.
    pub lon_e4: i32,
}

const fn region(code: &'static str, weight: u32, places: &'static [Place]) -> Region {
    Region { code, weight, places }
}

const fn at(lat_e4: i32, lon_e4: i32) -> Place {
    Place { lat_e4, lon_e4 }
}

/// The six countries of the product document: 50, 15, 10, 10, 10 and 5 %.
pub const COUNTRIES: [Country; 6] = [
    Country { code: "USA", weight: 10, gdpr: false, coppa: true, price_percent: 120, regions: &USA },
    Country { code: "GBR", weight: 3, gdpr: true, coppa: false, price_percent: 110, regions: &GBR },
    Country { code: "DEU", weight: 2, gdpr: true, coppa: false, price_percent: 100, regions: &DEU },
    Country { code: "CAN", weight: 2, gdpr: false, coppa: false, price_percent: 95, regions: &CAN },
    Country { code: "AUS", weight: 2, gdpr: false, coppa: false, price_percent: 100, regions: &AUS },
    Country { code: "FRA", weight: 1, gdpr: true, coppa: false, price_percent: 80, regions: &FRA },
];

const USA: [Region; 19] = [
    region("CA", 140, &[at(377_749, -1_224_194), at(340_522, -1_182_437)]), // California
    region("TX", 110, &[at(297_604, -953_698), at(327_767, -967_970)]),     // Texas
    region("FL", 85, &[at(285_383, -813_792)]),                             // Florida
    region("NY", 80, &[at(407_128, -740_060)]),                             // New York
    region("PA", 55, &[at(399_526, -751_652)]),                             // Pennsylvania
    region("IL", 55, &[at(418_781, -876_298)]),                             // Illinois
    region("OH", 50, &[at(399_612, -829_988)]),                             // Ohio
    region("GA", 48, &[at(337_490, -843_880)]),                             // Georgia
    region("NC", 47, &[at(352_271, -808_431)]),                             // North Carolina
    region("MI", 45, &[at(423_314, -830_458)]),                             // Michigan
    region("NJ", 40, &[at(407_357, -741_724)]),                             // New Jersey
    region("VA", 38, &[at(375_407, -774_360)]),                             // Virginia
    region("WA", 36, &[at(476_062, -1_223_321)]),                           // Washington
    region("AZ", 35, &[at(334_484, -1_120_740)]),                           // Arizona
    region("MA", 34, &[at(423_601, -710_589)]),                             // Massachusetts
    region("CO", 28, &[at(397_392, -1_049_903)]),                           // Colorado
    region("MN", 28, &[at(449_778, -932_650)]),                             // Minnesota
    region("MO", 26, &[at(386_270, -901_994)]),                             // Missouri
    region("OR", 20, &[at(455_152, -1_226_784)]),                           // Oregon
];

const GBR: [Region; 4] = [
    region("ENG", 842, &[at(515_074, -1278), at(534_808, -22_426), at(524_862, -18_904)]), // England
    region("SCT", 82, &[at(558_642, -42_518), at(559_533, -31_883)]),                      // Scotland
    region("WLS", 47, &[at(514_816, -31_791)]),                                            // Wales
    region("NIR", 29, &[at(545_973, -59_301)]),                                            // Northern Ireland
];

const DEU: [Region; 16] = [
    region("NW", 215, &[at(509_375, 69_603)]),  // Nordrhein-Westfalen
    region("BY", 159, &[at(481_351, 115_820)]), // Bayern
    region("BW", 134, &[at(487_758, 91_829)]),  // Baden-Wuerttemberg
    region("NI", 97, &[at(523_759, 97_320)]),   // Niedersachsen
    region("HE", 76, &[at(501_109, 86_821)]),   // Hessen
    region("SN", 48, &[at(513_397, 123_731)]),  // Sachsen
    region("RP", 49, &[at(499_929, 82_473)]),   // Rheinland-Pfalz
    region("BE", 45, &[at(525_200, 134_050)]),  // Berlin
    region("SH", 35, &[at(543_233, 101_228)]),  // Schleswig-Holstein
    region("BB", 31, &[at(523_906, 130_645)]),  // Brandenburg
    region("ST", 26, &[at(521_205, 116_276)]),  // Sachsen-Anhalt
    region("TH", 25, &[at(509_848, 110_299)]),  // Thueringen
    region("HH", 22, &[at(535_511, 99_937)]),   // Hamburg
    region("MV", 19, &[at(540_924, 120_991)]),  // Mecklenburg-Vorpommern
    region("SL", 12, &[at(492_402, 69_969)]),   // Saarland
    region("HB", 7, &[at(530_793, 88_017)]),    // Bremen
];

const CAN: [Region; 9] = [
    region("ON", 390, &[at(436_532, -793_832), at(454_215, -756_972)]), // Ontario
    region("QC", 225, &[at(455_017, -735_673), at(468_139, -712_080)]), // Quebec
    region("BC", 135, &[at(492_827, -1_231_207)]),                      // British Columbia
    region("AB", 115, &[at(510_447, -1_140_719)]),                      // Alberta
    region("MB", 36, &[at(498_951, -971_384)]),                         // Manitoba
    region("SK", 31, &[at(504_452, -1_046_189)]),                       // Saskatchewan
    region("NS", 26, &[at(446_488, -635_752)]),                         // Nova Scotia
    region("NB", 21, &[at(460_878, -647_782)]),                         // New Brunswick
    region("NL", 21, &[at(475_615, -527_126)]),                         // Newfoundland and Labrador
];

const AUS: [Region; 8] = [
    region("NSW", 312, &[at(-338_688, 1_512_093)]), // New South Wales
    region("VIC", 256, &[at(-378_136, 1_449_631)]), // Victoria
    region("QLD", 204, &[at(-274_698, 1_530_251)]), // Queensland
    region("WA", 108, &[at(-319_523, 1_158_613)]),  // Western Australia
    region("SA", 70, &[at(-349_285, 1_386_007)]),   // South Australia
    region("TAS", 22, &[at(-428_821, 1_473_272)]),  // Tasmania
    region("ACT", 18, &[at(-352_809, 1_491_300)]),  // Australian Capital Territory
    region("NT", 10, &[at(-124_634, 1_308_456)]),   // Northern Territory
];

const FRA: [Region; 13] = [
    region("IDF", 188, &[at(488_566, 23_522)]), // Ile-de-France
    region("ARA", 124, &[at(457_640, 48_357)]), // Auvergne-Rhone-Alpes
    region("NAQ", 93, &[at(448_378, -5792)]),   // Nouvelle-Aquitaine
    region("OCC", 92, &[at(436_047, 14_442)]),  // Occitanie
    region("HDF", 91, &[at(506_292, 30_573)]),  // Hauts-de-France
    region("GES", 85, &[at(485_734, 77_521)]),  // Grand Est
    region("PAC", 79, &[at(435_297, 54_474)]),  // Provence-Alpes-Cote d'Azur
    region("PDL", 60, &[at(472_184, -15_536)]), // Pays de la Loire
    region("BRE", 53, &[at(481_173, -16_778)]), // Bretagne
    region("NOR", 51, &[at(494_432, 10_993)]),  // Normandie
    region("BFC", 43, &[at(473_220, 50_415)]),  // Bourgogne-Franche-Comte
    region("CVL", 36, &[at(473_941, 6848)]),    // Centre-Val de Loire
    region("20R", 5, &[at(419_192, 87_386)]),   // Corse
];
