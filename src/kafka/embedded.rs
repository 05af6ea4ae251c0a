//! The embedded broker: librdkafka's in-process mock cluster, for a look at the stream without any Kafka.
//!
//! It keeps 5 MiB a partition and silently drops what is older, so a window that would not fit is refused beforehand.

use std::io;
use std::net::{self, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::thread;

use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;

use super::error::KafkaError;
use crate::generator::record::Record;
use crate::generator::spec::Layout;
use crate::generator::stream::{Stream, Window};
use crate::log::shutdown::Shutdown;

/// What the mock cluster keeps of a partition.
const PARTITION_BYTES: u64 = 5 * 1024 * 1024;
/// The mock cluster sets every partition up at once.
const PARTITIONS_MAX: u32 = 1_000;
/// More than a record costs beside its key, value and headers, even in a batch of its own (61 bytes of batch, at most 24 of
/// record).
const RECORD_OVERHEAD_BYTES: u64 = 85;

/// A running broker on a free port of the loopback interface. It ends when dropped.
pub struct Embedded {
    cluster: MockCluster<'static, DefaultProducerContext>,
}

impl std::fmt::Debug for Embedded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Embedded").field("brokers", &self.brokers()).finish()
    }
}

impl Embedded {
    /// Starts a broker with the layout's topics.
    ///
    /// # Errors
    /// If a topic has more than 1,000 partitions, or librdkafka cannot start it.
    pub fn start(layout: &Layout) -> Result<Self, KafkaError> {
        require_partitions(layout)?;
        let cluster = MockCluster::new(1)?;
        for topic in layout.topics() {
            let count = topic.partitions.count().cast_signed();
            cluster.create_topic(topic.name.as_str(), count, 1)?;
        }
        Ok(Self { cluster })
    }

    /// Its address.
    #[must_use]
    pub fn brokers(&self) -> String {
        self.cluster.bootstrap_servers()
    }

    /// Lets it be reached at a port of the loopback interface as well, and says that address. It serves whoever asks for the cluster;
    /// librdkafka gives the broker a port of its own, to which clients are sent from there.
    ///
    /// # Errors
    /// If somebody else listens there.
    pub fn open(&self, port: u16) -> io::Result<String> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let listener = TcpListener::bind(address)?;
        let broker = self.brokers();
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                // A client that cannot be served sees its connection end, and tries again.
                let _ = TcpStream::connect(&broker).and_then(|broker| join(&client, &broker));
            }
        });
        Ok(address.to_string())
    }

    /// Refuses a stream with too many partitions, and a window that would not fit.
    ///
    /// # Errors
    /// Says how many partitions a topic may have, or auctions from the window's start fit; or that a signal came while that was
    /// counted.
    pub fn require_fit(stream: &Stream, window: Window, stop: &Shutdown) -> Result<(), KafkaError> {
        require_partitions(stream.layout())?;
        let mut filled = std::collections::BTreeMap::new();
        let end = window.end().unwrap_or(u64::MAX).min(stream.auctions().clock().auctions());
        let mut record = Record::default();
        for ordinal in window.start()..end {
            if stop.is_requested() {
                return Err(KafkaError::Stopped);
            }
            let mut funnel = stream.records(Window::auctions(ordinal, 1));
            while funnel.next_into(&mut record) {
                let headers: usize = record.headers.iter().map(|h| h.name.len() + h.value.len() + 10).sum();
                let bytes = record.key.len() + record.value.len() + headers;
                let total: &mut u64 = filled.entry((record.stage, record.partition)).or_default();
                *total += bytes as u64 + RECORD_OVERHEAD_BYTES;
                if *total > PARTITION_BYTES {
                    return Err(KafkaError::TooLarge { count_max: ordinal - window.start() });
                }
            }
        }
        Ok(())
    }
}

/// Hands bytes on between two connections, each way on a thread of its own, until one of them ends.
fn join(client: &TcpStream, broker: &TcpStream) -> io::Result<()> {
    for (from, to) in [(client, broker), (broker, client)] {
        let (mut from, mut to) = (from.try_clone()?, to.try_clone()?);
        thread::spawn(move || {
            let _ = io::copy(&mut from, &mut to);
            let _ = to.shutdown(net::Shutdown::Both);
        });
    }
    Ok(())
}

fn require_partitions(layout: &Layout) -> Result<(), KafkaError> {
    if layout.topics().iter().any(|topic| topic.partitions.count() > PARTITIONS_MAX) {
        return Err(KafkaError::TooManyPartitions { max: PARTITIONS_MAX });
    }
    Ok(())
}
