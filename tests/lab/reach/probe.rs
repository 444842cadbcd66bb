//! The lab is what it says: each kind of router, found out with plain sockets from inside, as a
//! peer behind it would be.

use std::{
    io::{self, ErrorKind, Read, Write},
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    time::Duration,
};

use socket2::{Domain, Socket, Type};

use crate::{
    inside,
    support::lab::{
        Host,
        internet::{Internet, Nat, Site},
    },
};

/// The port of the host behind the router.
const PORT: u16 = 4001;
/// Ports that it writes to, and others that write to it.
const HERE: u16 = 7001;
const THERE: u16 = 7002;
/// What may be dropped and does not arrive by then, on one machine without delays, was.
const DROPPED: Duration = Duration::from_millis(300);
/// A router that blocks a protocol drops all of these. One that first has to find its neighbor,
/// which over IPv6 takes a second attempt after a second, lets the later ones through.
const TRIES: usize = 10;
/// For what must arrive.
const PATIENCE: Duration = Duration::from_secs(5);

/// Who may write to an outside port.
#[derive(Clone, Copy, Debug, PartialEq)]
enum LetsIn {
    Anybody,
    Addresses,
    AddressesAndPorts,
}

/// What a router does with one protocol.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Kind {
    /// One outside port for all destinations.
    steady: bool,
    lets_in: LetsIn,
}

#[test]
fn routers_are_what_they_are_called() {
    use LetsIn::{Addresses, AddressesAndPorts, Anybody};
    inside("reach::probe::routers_are_what_they_are_called", || {
        let internet = Internet::new();
        let world = World::new(&internet);
        for (nat, steady, lets_in) in [
            (Nat::Public, true, Anybody),
            (Nat::FullCone, true, Anybody),
            (Nat::AddressRestricted, true, Addresses),
            (Nat::PortRestricted, true, AddressesAndPorts),
            (Nat::Symmetric, false, AddressesAndPorts),
            (Nat::SymmetricMapped, false, AddressesAndPorts),
            (Nat::Double, true, AddressesAndPorts),
            (Nat::UdpBlocked, true, AddressesAndPorts),
            (Nat::Hairpin, true, Anybody),
            (Nat::OneLan, true, AddressesAndPorts),
            (Nat::Ipv6Only, true, AddressesAndPorts),
            (Nat::DualStack, true, Anybody),
        ] {
            let site = internet.site(nat);
            let expected = Kind { steady, lets_in };
            let (udp, tcp) = (world.udp(&site), world.tcp(&site));
            println!("{}: UDP {udp:?}, TCP {tcp:?}", nat.name());
            let udp_expected = (nat != Nat::UdpBlocked).then_some(expected);
            assert_eq!((udp, tcp), (udp_expected, expected), "{}", nat.name());
        }
    });
}

/// A server with two addresses of each family.
struct World {
    site: Site,
    v4: [IpAddr; 2],
    v6: [IpAddr; 2],
}

impl World {
    fn new(internet: &Internet) -> Self {
        let site = internet.site(Nat::DualStack);
        let [v4, v6] = [0, 1].map(|index| site.public[index].to_string());
        let (other_v4, other_v6) = (v4.replace(".1", ".2"), v6.replace("::1", "::2"));
        let other_v4 = format!(
            "{}.2",
            v4.rsplit_once('.').map_or(&*other_v4, |(net, _)| net)
        );
        site.host()
            .ip(&["addr", "add", &format!("{other_v4}/24"), "dev", "eth0"]);
        site.host().ip(&[
            "addr",
            "add",
            &format!("{other_v6}/64"),
            "dev",
            "eth0",
            "nodad",
        ]);
        let parse = |text: &str| text.parse().unwrap();
        Self {
            v4: [parse(&v4), parse(&other_v4)],
            v6: [parse(&v6), parse(&other_v6)],
            site,
        }
    }

    fn addresses(&self, site: &Site) -> [IpAddr; 2] {
        if site.nat == Nat::Ipv6Only {
            self.v6
        } else {
            self.v4
        }
    }

    /// Nothing if nothing comes through.
    fn udp(&self, site: &Site) -> Option<Kind> {
        let [first, second] = self.addresses(site);
        let inside = udp(site.host(), unspecified(first), PORT);
        let [known, other_port, other_address] = [(first, HERE), (first, THERE), (second, HERE)]
            .map(|(ip, port)| udp(self.site.host(), ip, port));
        let to = |socket: &UdpSocket| {
            inside
                .send_to(b"out", socket.local_addr().unwrap())
                .unwrap()
        };
        let heard = |socket| {
            (0..TRIES).find_map(|_| {
                to(socket);
                arrival(socket, DROPPED)
            })
        };
        let outside = heard(&known)?;
        assert_eq!(outside.ip(), site.public[0]);
        // What is let in arrives in the order in which it was sent.
        for (socket, word) in [
            (&other_port, "port"),
            (&other_address, "address"),
            (&known, "known"),
        ] {
            socket.send_to(word.as_bytes(), outside).unwrap();
        }
        let mut came = Vec::new();
        while came.last().is_none_or(|word| word != "known") {
            let (word, _) = received(&inside, PATIENCE).expect("an answer is let in");
            came.push(word);
        }
        let steady = heard(&other_address)? == outside;
        let came = |word: &str| came.iter().any(|came| came == word);
        Some(Kind {
            steady,
            lets_in: lets_in(came("port"), came("address")),
        })
    }

    fn tcp(&self, site: &Site) -> Kind {
        let [first, second] = self.addresses(site);
        let listen = |ip| listener(self.site.host(), ip, HERE);
        let (known, other) = (listen(first), listen(second));
        let within = listener(site.host(), unspecified(first), PORT);
        let reached = |listener: &TcpListener| {
            let socket = tcp(site.host(), unspecified(first), PORT);
            let to = listener.local_addr().unwrap();
            socket.connect_timeout(&to.into(), PATIENCE).unwrap();
            let (stream, from) = listener.accept().unwrap();
            (from, TcpStream::from(socket), stream)
        };
        let (outside, ..) = reached(&known);
        let from = |ip| match connected(self.site.host(), ip, outside) {
            Ok(mut stream) => {
                stream.write_all(b"in").unwrap();
                drop(stream);
                let (mut stream, _) = within.accept().unwrap();
                let mut word = String::new();
                stream.read_to_string(&mut word).unwrap();
                word == "in"
            }
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::TimedOut, "dropped, not refused");
                false
            }
        };
        let lets_in = lets_in(from(first), from(second));
        let (again, ..) = reached(&other);
        Kind {
            steady: again == outside,
            lets_in,
        }
    }
}

fn lets_in(other_port: bool, other_address: bool) -> LetsIn {
    match (other_port, other_address) {
        (true, true) => LetsIn::Anybody,
        (true, false) => LetsIn::Addresses,
        (false, false) => LetsIn::AddressesAndPorts,
        (false, true) => panic!("no router is like that"),
    }
}

#[test]
fn a_mapped_port_is_open_to_everybody() {
    inside("reach::probe::a_mapped_port_is_open_to_everybody", || {
        let internet = Internet::new();
        let world = World::new(&internet);
        let site = internet.site(Nat::SymmetricMapped);
        let inside = udp(site.host(), unspecified(world.v4[0]), PORT);
        let asking = udp(site.host(), unspecified(world.v4[0]), 0);
        // NAT-PMP: map UDP, inside port, the outside port we would like, for an hour.
        let [high, low] = PORT.to_be_bytes();
        let request = [0, 1, 0, 0, high, low, high, low, 0, 0, 14, 16];
        asking.connect("192.168.1.1:5351").unwrap();
        asking.set_read_timeout(Some(DROPPED)).unwrap();
        let mut answer = [0; 16];
        let deadline = std::time::Instant::now() + PATIENCE;
        // The daemon may just be starting.
        while asking.send(&request).is_err() || asking.recv(&mut answer).is_err() {
            assert!(
                std::time::Instant::now() < deadline,
                "the router maps no port"
            );
        }
        assert_eq!(answer[..4], [0, 129, 0, 0], "mapped");
        let outside = SocketAddr::new(site.public[0], u16::from_be_bytes([answer[10], answer[11]]));
        let stranger = udp(world.site.host(), world.v4[1], THERE);
        stranger.send_to(b"in", outside).unwrap();
        let from = arrival(&inside, PATIENCE);
        assert_eq!(from, Some(stranger.local_addr().unwrap()));
    });
}

#[test]
fn hosts_of_one_site_reach_each_other_as_it_is_called() {
    inside(
        "reach::probe::hosts_of_one_site_reach_each_other_as_it_is_called",
        || {
            let internet = Internet::new();
            let world = World::new(&internet);
            for (nat, by_private, by_public) in
                [(Nat::Hairpin, false, true), (Nat::OneLan, true, false)]
            {
                let site = internet.site_of(nat, 2);
                let any = unspecified(world.v4[0]);
                let [left, right] = [0, 1].map(|index| udp(&site.hosts[index], any, PORT));
                let server = udp(world.site.host(), world.v4[0], HERE);
                left.send_to(b"out", server.local_addr().unwrap()).unwrap();
                let outside = arrival(&server, PATIENCE).unwrap();
                let patience = |arrives| if arrives { PATIENCE } else { DROPPED };
                let private = SocketAddr::new(site.hosts[0].address().parse().unwrap(), PORT);
                right.send_to(b"private", private).unwrap();
                let private = arrival(&left, patience(by_private));
                right.send_to(b"public", outside).unwrap();
                let public = arrival(&left, patience(by_public));
                assert_eq!(
                    (private.is_some(), public.is_some()),
                    (by_private, by_public),
                    "{}",
                    nat.name()
                );
                if let Some(from) = public {
                    assert_eq!(from.ip(), site.public[0], "answers find their way back");
                }
            }
        },
    );
}

#[test]
fn multicast_does_not_pass() {
    inside("reach::probe::multicast_does_not_pass", || {
        let internet = Internet::new();
        let [here, there] = [(); 2].map(|()| internet.site(Nat::Public));
        let lan = internet.site_of(Nat::OneLan, 2);
        for (from, to) in [(here.host(), there.host()), (&lan.hosts[0], &lan.hosts[1])] {
            let group = Ipv4Addr::new(224, 0, 0, 251);
            let listening = udp(to, Ipv4Addr::UNSPECIFIED.into(), 5353);
            listening
                .join_multicast_v4(&group, &to.address().parse().unwrap())
                .unwrap();
            let speaking = udp(from, from.address().parse().unwrap(), 5353);
            speaking.set_multicast_ttl_v4(255).unwrap();
            speaking.send_to(b"all", (group, 5353)).unwrap();
            speaking.send_to(b"you", (to.address(), 5353)).unwrap();
            let (word, _) = received(&listening, PATIENCE).unwrap();
            assert_eq!(word, "you");
        }
    });
}

fn unspecified(like: IpAddr) -> IpAddr {
    match like {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => std::net::Ipv6Addr::UNSPECIFIED.into(),
    }
}

fn udp(host: &Host, ip: IpAddr, port: u16) -> UdpSocket {
    host.enter(|| UdpSocket::bind((ip, port))).unwrap()
}

/// A word, and from where it came.
fn received(socket: &UdpSocket, within: Duration) -> Option<(String, SocketAddr)> {
    let mut word = [0; 16];
    socket.set_read_timeout(Some(within)).unwrap();
    let (length, from) = socket.recv_from(&mut word).ok()?;
    Some((String::from_utf8_lossy(&word[..length]).into_owned(), from))
}

fn arrival(socket: &UdpSocket, within: Duration) -> Option<SocketAddr> {
    received(socket, within).map(|(_, from)| from)
}

/// A socket on a port that others are on too.
fn tcp(host: &Host, ip: IpAddr, port: u16) -> Socket {
    let open = || -> io::Result<Socket> {
        let address = SocketAddr::new(ip, port);
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
        socket.set_reuse_address(true)?;
        socket.set_reuse_port(true)?;
        socket.bind(&address.into())?;
        Ok(socket)
    };
    host.enter(open).unwrap()
}

fn listener(host: &Host, ip: IpAddr, port: u16) -> TcpListener {
    let socket = tcp(host, ip, port);
    socket.listen(8).unwrap();
    socket.into()
}

fn connected(host: &Host, from: IpAddr, to: SocketAddr) -> io::Result<TcpStream> {
    let socket = tcp(host, from, 0);
    socket.connect_timeout(&to.into(), DROPPED)?;
    Ok(socket.into())
}
