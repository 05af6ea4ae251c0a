//! Devices, banner sizes and user agents: one joint table, so that no row is impossible (no iOS desktop, no leaderboard on
//! a phone) and every marginal of the product document is exact.
//!
//! Browser shares and version numbers are design values; the operating-system tokens are what these browsers really send:
//! Chrome on Android always says `Android 10; K`, Chrome on Windows always `NT 10.0`, macOS is frozen at `10_15_7`, Safari 26
//! on iOS at `18_6` and `18_7`. So `osv` is not always in the text, but every parser reads the intended system (`ua-parser`
//! confirms it in `make test-oracles`).

/// A banner size.
#[derive(Debug)]
pub struct Size {
    /// Width in pixels.
    pub w: u16,
    /// Height in pixels.
    pub h: u16,
    /// What a price above the floor is multiplied by, in hundredths.
    pub price_percent: u32,
}

/// The five banner sizes: 40, 20, 15, 15 and 10 % of all requests.
pub const SIZES: [Size; 5] = [
    Size { w: 300, h: 250, price_percent: 100 },
    Size { w: 728, h: 90, price_percent: 90 },
    Size { w: 160, h: 600, price_percent: 85 },
    Size { w: 320, h: 50, price_percent: 50 },
    Size { w: 970, h: 250, price_percent: 160 },
];

/// A kind of device that a user holds.
#[derive(Debug)]
pub struct Device {
    /// OpenRTB's `devicetype`: 1 mobile or tablet, 2 personal computer, 4 phone.
    pub devicetype: u8,
    /// `device.os`.
    pub os: &'static str,
    /// Weight of each of [`SIZES`] on this device, in percent of all requests. The row's sum is the device's own share.
    pub size_percent: [u32; 5],
    /// The browsers of its form factor and system; their weights add up to 100.
    pub browsers: &'static [Browser],
}

/// The joint table. Its sums: device types 1, 2, 4 are 60, 30, 10 %; iOS, Android, Windows, macOS are 35, 35, 20, 10 %; the
/// columns are the banner sizes' 40, 20, 15, 15, 10 %. Every row is a multiple of 5 %.
pub const DEVICES: [Device; 8] = [
    Device { devicetype: 2, os: "Windows", size_percent: [4, 5, 6, 0, 5], browsers: &WINDOWS },
    Device { devicetype: 2, os: "macOS", size_percent: [2, 3, 2, 0, 3], browsers: &MACOS },
    Device { devicetype: 1, os: "iOS", size_percent: [2, 7, 5, 0, 1], browsers: &IPAD },
    Device { devicetype: 1, os: "Android", size_percent: [2, 5, 2, 0, 1], browsers: &ANDROID_TABLET },
    Device { devicetype: 1, os: "iOS", size_percent: [10, 0, 0, 5, 0], browsers: &IPHONE },
    Device { devicetype: 1, os: "Android", size_percent: [13, 0, 0, 7, 0], browsers: &ANDROID_PHONE },
    Device { devicetype: 4, os: "iOS", size_percent: [4, 0, 0, 1, 0], browsers: &IPHONE },
    Device { devicetype: 4, os: "Android", size_percent: [3, 0, 0, 2, 0], browsers: &ANDROID_PHONE },
];

/// A browser on one system.
#[derive(Debug)]
pub struct Browser {
    /// Share among the browsers of its list, in percent.
    pub weight: u32,
    /// The user agent. `{osv}` stands for the system's version, `{osv_}` for the same with `_` for `.`, `{v}` for one of
    /// [`Browser::versions`].
    pub template: &'static str,
    /// System versions, equally likely: `device.osv`.
    pub os_versions: &'static [&'static str],
    /// Texts for `{v}`, equally likely.
    pub versions: &'static [&'static str],
}

impl Browser {
    /// The user agent with one system version and one browser version filled in.
    #[must_use]
    pub fn user_agent(&self, os_version: &str, version: &str) -> String {
        self.template
            .replace("{osv_}", &os_version.replace('.', "_"))
            .replace("{osv}", os_version)
            .replace("{v}", version)
    }
}

const CHROME: &[&str] = &["141", "142", "143", "144"];
const CHROME_IOS: &[&str] = &["141.0.7390.96", "142.0.7444.148", "143.0.7499.92"];
const FIREFOX: &[&str] = &["144", "145", "146"];
// Safari 26 runs on macOS 14, 15 and 26.
const SAFARI_MAC: &[&str] = &["26.0", "26.1", "26.2"];
const NO_VERSION: &[&str] = &[""];

const IPHONE: [Browser; 3] = [
    Browser {
        weight: 25,
        template: "Mozilla/5.0 (iPhone; CPU iPhone OS {osv_} like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/{osv} Mobile/15E148 Safari/604.1",
        os_versions: &["17.0", "17.5", "17.6", "18.0", "18.3", "18.5", "18.6"],
        versions: NO_VERSION,
    },
    Browser {
        weight: 60,
        template: "Mozilla/5.0 (iPhone; CPU iPhone OS {v} like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/{osv} Mobile/15E148 Safari/604.1",
        os_versions: &["26.0", "26.1", "26.2", "26.3"],
        versions: &["18_6", "18_7"],
    },
    Browser {
        weight: 15,
        template: "Mozilla/5.0 (iPhone; CPU iPhone OS {osv_} like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/{v} Mobile/15E148 Safari/604.1",
        os_versions: &["17.5", "18.5", "18.6"],
        versions: CHROME_IOS,
    },
];

const IPAD: [Browser; 2] = [
    Browser {
        weight: 70,
        template: "Mozilla/5.0 (iPad; CPU OS {osv_} like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/{osv} Mobile/15E148 Safari/604.1",
        os_versions: &["17.5", "18.3", "18.6"],
        versions: NO_VERSION,
    },
    Browser {
        weight: 30,
        template: "Mozilla/5.0 (iPad; CPU OS {osv_} like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/{v} Mobile/15E148 Safari/604.1",
        os_versions: &["17.5", "18.5"],
        versions: CHROME_IOS,
    },
];

const ANDROID_PHONE: [Browser; 3] = [
    Browser {
        weight: 85,
        template: "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{v}.0.0.0 Mobile Safari/537.36",
        os_versions: &["12", "13", "14", "15", "16"],
        versions: CHROME,
    },
    Browser {
        weight: 10,
        template: "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/{v}.0.0.0 Mobile Safari/537.36",
        os_versions: &["13", "14", "15"],
        versions: &["28.0 Chrome/130", "29.0 Chrome/136"],
    },
    Browser {
        weight: 5,
        template: "Mozilla/5.0 (Android {osv}; Mobile; rv:{v}.0) Gecko/{v}.0 Firefox/{v}.0",
        os_versions: &["13", "14", "15"],
        versions: FIREFOX,
    },
];

const ANDROID_TABLET: [Browser; 1] = [Browser {
    weight: 100,
    template: "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{v}.0.0.0 Safari/537.36",
    os_versions: &["12", "13", "14", "15"],
    versions: CHROME,
}];

const WINDOWS: [Browser; 3] = [
    Browser {
        weight: 70,
        template: "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{v}.0.0.0 Safari/537.36",
        os_versions: &["10", "11"],
        versions: CHROME,
    },
    Browser {
        weight: 20,
        template: "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{v}.0.0.0 Safari/537.36 Edg/{v}.0.0.0",
        os_versions: &["10", "11"],
        versions: CHROME,
    },
    Browser {
        weight: 10,
        template: "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:{v}.0) Gecko/20100101 Firefox/{v}.0",
        os_versions: &["10", "11"],
        versions: FIREFOX,
    },
];

const MACOS: [Browser; 3] = [
    Browser {
        weight: 55,
        template: "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/{v} Safari/605.1.15",
        os_versions: &["14.7", "15.5", "15.6", "26.0"],
        versions: SAFARI_MAC,
    },
    Browser {
        weight: 40,
        template: "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{v}.0.0.0 Safari/537.36",
        os_versions: &["14.7", "15.5", "15.6"],
        versions: CHROME,
    },
    Browser {
        weight: 5,
        template: "Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:{v}.0) Gecko/20100101 Firefox/{v}.0",
        os_versions: &["14.7", "15.5"],
        versions: FIREFOX,
    },
];
