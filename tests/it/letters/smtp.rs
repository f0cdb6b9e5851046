//! Real conversations over TCP with a mail server of the test's own.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use akgate_owners::letters::mailer::{
    Encryption, Mailer, SmtpMailer, SmtpSettings, SmtpSetupFault,
};
use akgate_state::outbox::queue::SendFault;
use lettre::Message;
use mail_parser::MessageParser;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    sync::Notify,
};
use zeroize::Zeroizing;

use super::stage::Stage;
use crate::{addresses, database::TestDatabase, wait::eventually};

/// What the server answers to a command; `None` for the usual.
type Script = dyn Fn(usize, &str) -> Option<&'static str> + Send + Sync;

/// In place of an answer.
const HANGS_UP: &str = "hangs up";

/// A mail server without TLS. It numbers its connections from 1.
struct Peer {
    port: u16,
    heard: Arc<Mutex<Vec<String>>>,
    mail: Arc<Mutex<Vec<Vec<u8>>>>,
    hold: Arc<Hold>,
}

/// A body whose answer waits: the server says when it has the body, and goes on when it is told to.
#[derive(Default)]
struct Hold {
    begun: Notify,
    over: Notify,
}

impl Peer {
    async fn start(
        script: impl Fn(usize, &str) -> Option<&'static str> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let peer = Self {
            port: listener.local_addr().unwrap().port(),
            heard: Arc::default(),
            mail: Arc::default(),
            hold: Arc::default(),
        };
        let script: Arc<Script> = Arc::new(script);
        let (heard, mail) = (Arc::clone(&peer.heard), Arc::clone(&peer.mail));
        let hold = Arc::clone(&peer.hold);
        tokio::spawn(async move {
            for number in 1.. {
                let (stream, _) = listener.accept().await.unwrap();
                let (script, heard, mail) = (script.clone(), heard.clone(), mail.clone());
                let hold = Arc::clone(&hold);
                tokio::spawn(async move {
                    // Whoever hangs up has said enough.
                    drop(converse(stream, number, &*script, &heard, &mail, &hold).await);
                });
            }
        });
        peer
    }

    fn settings(&self) -> SmtpSettings {
        SmtpSettings {
            host: "127.0.0.1".into(),
            port: self.port,
            encryption: Encryption::None,
            login: None,
            ca: None,
            timeout: Duration::from_secs(10),
        }
    }

    fn mailer(&self) -> SmtpMailer {
        SmtpMailer::new(self.settings()).unwrap()
    }

    fn heard(&self, verb: &str) -> usize {
        let heard = self.heard.lock().unwrap();
        heard.iter().filter(|line| line.starts_with(verb)).count()
    }
}

async fn converse(
    stream: TcpStream,
    number: usize,
    script: &Script,
    heard: &Mutex<Vec<String>>,
    mail: &Mutex<Vec<Vec<u8>>>,
    hold: &Hold,
) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    let greeting = script(number, "").unwrap_or("220 peer ready");
    stream
        .write_all(format!("{greeting}\r\n").as_bytes())
        .await?;
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        let line = line.trim_end();
        heard.lock().unwrap().push(line.to_owned());
        let verb = line.split(' ').next().unwrap();
        let usual = match verb {
            "EHLO" => "250-peer\r\n250 8BITMIME",
            "DATA" => "354 go on",
            "QUIT" => "221 bye",
            _ => "250 ok",
        };
        let answer = script(number, line).unwrap_or(usual);
        if answer == HANGS_UP {
            return Ok(());
        }
        stream.write_all(format!("{answer}\r\n").as_bytes()).await?;
        if verb == "DATA" && answer.starts_with("354") {
            let mut body = Vec::new();
            if script(number, "begun").is_some() {
                // Before the final dot: the message is not taken.
                stream.read_until(b'\n', &mut body).await?;
                return Ok(());
            }
            while !body.ends_with(b"\r\n.\r\n") {
                stream.read_until(b'\n', &mut body).await?;
            }
            if script(number, "hold").is_some() {
                hold.begun.notify_one();
                hold.over.notified().await;
            }
            mail.lock().unwrap().push(body);
            let answer = script(number, "body").unwrap_or("250 taken");
            if answer == HANGS_UP {
                return Ok(());
            }
            stream.write_all(format!("{answer}\r\n").as_bytes()).await?;
        }
    }
}

fn message(subject: &str) -> Message {
    Message::builder()
        .from("security@cloud.example".parse().unwrap())
        .to("owner@example.com".parse().unwrap())
        .subject(subject)
        .date(super::NOW.into())
        .body("Text\n".to_owned())
        .unwrap()
}

#[tokio::test]
async fn deferred_letter_arrives_later_and_is_well_formed() {
    let database = TestDatabase::new().await;
    let (stage, leak) = Stage::with_leak(database.pool(), 2).await;
    let busy = Arc::new(Mutex::new(true));
    let put_off = Arc::clone(&busy);
    let peer = Peer::start(move |_, line| {
        let first = line.starts_with("RCPT") && *put_off.lock().unwrap();
        first.then_some("451 4.7.1 greylisted, come back later")
    })
    .await;
    let run = || async {
        let mut worker = stage.worker();
        worker.mailer = Arc::new(peer.mailer());
        Arc::new(worker).run_once().await.unwrap()
    };
    assert_eq!(run().await, 2);
    assert!(peer.mail.lock().unwrap().is_empty());
    for letter in stage.letters().await {
        assert_eq!(letter.state, "Due");
        assert!(letter.last_error.unwrap().contains("greylisted"));
    }
    *busy.lock().unwrap() = false;
    stage.clock.advance(time::Duration::minutes(1));
    assert_eq!(run().await, 2);
    let letters = stage.letters().await;
    assert!(letters.iter().all(|letter| letter.state == "Sent"));

    let mail = peer.mail.lock().unwrap().clone();
    assert_eq!(mail.len(), 2);
    for bytes in &mail {
        let (head, _) = bytes.split_at(2048.min(bytes.len()));
        let head = String::from_utf8_lossy(head);
        for line in [
            "From: \"Cloud security\" <security@cloud.example>\r\n".to_owned(),
            "Reply-To: help@cloud.example\r\n".into(),
            "Date: Tue, 24 Nov 2026 12:01:00 +0000\r\n".into(),
            format!("References: <{}@cloud.example>\r\n", leak.restriction_id),
            format!("In-Reply-To: <{}@cloud.example>\r\n", leak.restriction_id),
            "Auto-Submitted: auto-generated\r\n".into(),
            "Content-Type: multipart/alternative;\r\n boundary=\"akgate-".into(),
        ] {
            assert!(head.contains(&line), "{line}\n{head}");
        }
        assert!(bytes.is_ascii(), "every mail server takes it");
        let longest = bytes.split(|b| *b == b'\n').map(<[u8]>::len).max();
        assert!(longest.unwrap() <= 999, "RFC 5322, section 2.1.1");
    }
    let subjects: Vec<_> = mail
        .iter()
        .map(|bytes| {
            let message = MessageParser::default().parse(bytes.as_slice()).unwrap();
            assert!(letters.iter().any(|letter| {
                let id = format!("{}@cloud.example", letter.letter_id);
                Some(id.as_str()) == message.message_id()
            }));
            message.subject().unwrap().to_owned()
        })
        .collect();
    assert!(
        subjects
            .iter()
            .any(|subject| subject.ends_with("已泄露，请尽快更换"))
    );
    assert!(
        subjects
            .iter()
            .any(|subject| subject.ends_with("please replace it"))
    );
}

#[tokio::test]
async fn refused_letter_fails_and_a_refused_sender_is_retried() {
    for (at, answer, letter_is_at_fault) in [
        ("MAIL", "451 later", false),
        ("RCPT", "550 5.1.1 no such user", true),
        ("body", "554 5.7.1 not wanted", true),
        ("body", "421 closing", false),
        // The server lets nobody in: it has not seen the letter.
        ("", "554 no mail service here", false),
        ("EHLO", "550 you are blocked", false),
    ] {
        let peer = Peer::start(move |_, line| {
            let here = if at.is_empty() {
                line.is_empty()
            } else {
                line.starts_with(at)
            };
            here.then_some(answer)
        })
        .await;
        let fault = peer.mailer().send("x", message("x")).await.unwrap_err();
        let never = matches!(fault, SendFault::Permanent { .. });
        assert_eq!(never, letter_is_at_fault, "{at}: {answer}: {fault}");
    }
}

#[tokio::test]
async fn absent_server_is_retried() {
    let peer = Peer {
        port: addresses::refusing().port(),
        heard: Arc::default(),
        mail: Arc::default(),
        hold: Arc::default(),
    };
    let fault = peer.mailer().send("x", message("x")).await.unwrap_err();
    assert!(matches!(fault, SendFault::ServerAway(_)), "{fault}");
}

#[tokio::test]
async fn server_without_starttls_gets_no_credentials_or_letter() {
    let peer = Peer::start(|_, _| None).await;
    let mailer = SmtpMailer::new(SmtpSettings {
        encryption: Encryption::StartTls,
        login: Some(("akgate".into(), Zeroizing::new("FakePassword".into()))),
        ..peer.settings()
    })
    .unwrap();
    let fault = mailer.send("x", message("x")).await.unwrap_err();
    assert!(matches!(fault, SendFault::ServerAway(_)), "{fault}");
    assert_eq!((peer.heard("AUTH"), peer.heard("MAIL")), (0, 0));
}

#[tokio::test]
async fn login_without_encryption_is_refused() {
    let peer = Peer::start(|_, _| None).await;
    let refused = SmtpMailer::new(SmtpSettings {
        login: Some(("akgate".into(), Zeroizing::new("FakePassword".into()))),
        ..peer.settings()
    });
    assert!(matches!(refused, Err(SmtpSetupFault::LoginInTheClear)));
}

#[tokio::test]
async fn abandoned_letter_does_not_disturb_the_next() {
    // The first connection does not answer to the body while the sender waits.
    let peer = Peer::start(|number, line| match (number, line) {
        (1, "hold") => Some("yes"),
        (_, line) if line.starts_with("RCPT") && number > 1 => Some("550 no such user"),
        _ => None,
    })
    .await;
    let mailer = peer.mailer();
    tokio::select! {
        answered = mailer.send("1", message("1")) => panic!("{answered:?}"),
        () = peer.hold.begun.notified() => {}
    }
    // Time for a connection to come back to the pool, were it to.
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
    let fault = mailer.send("2", message("2")).await.unwrap_err();
    assert!(matches!(fault, SendFault::Permanent { .. }), "{fault}");
    peer.hold.over.notify_one();
    eventually("the first letter is taken", async || {
        !peer.mail.lock().unwrap().is_empty()
    })
    .await;
    assert_eq!(peer.mail.lock().unwrap().len(), 1);
}

/// Ten thousand letters through a bad week: a server that is away for 72 hours, and that puts off, hangs up before the
/// final dot and after it for the rest. None is lost; only those whose answer was lost come twice (RFC 1047), with the
/// same Message-ID.
#[tokio::test]
async fn no_letter_is_lost_in_a_bad_week() {
    const LETTERS: usize = 10_000;
    let database = TestDatabase::new().await;
    let (stage, _) = Stage::with_leak(database.pool(), LETTERS).await;
    let away = Arc::new(Mutex::new(true));
    let answers_lost = Arc::new(Mutex::new(0));
    let (is_away, lost) = (Arc::clone(&away), Arc::clone(&answers_lost));
    let count = AtomicUsize::new(0);
    let peer = Peer::start(move |_, line| {
        let every = |n: usize| count.fetch_add(1, Ordering::SeqCst).is_multiple_of(n);
        match line {
            "" if *is_away.lock().unwrap() => Some("421 4.3.2 out of order"),
            "begun" if every(90) => Some("yes"),
            "body" if every(90) => {
                *lost.lock().unwrap() += 1;
                Some(HANGS_UP)
            }
            line if line.starts_with("RCPT") && every(70) => Some("451 4.7.1 later"),
            _ => None,
        }
    })
    .await;
    let mut worker = stage.worker();
    worker.mailer = Arc::new(peer.mailer());
    let worker = Arc::new(worker);
    for _ in 0..72 * 6 {
        worker.run_once().await.unwrap();
        stage.clock.advance(time::Duration::minutes(10));
    }
    assert_eq!(peer.heard("MAIL"), 0);
    let greeted = peer.heard("EHLO");
    assert_eq!(greeted, 0, "who is away hears nothing");
    *away.lock().unwrap() = false;
    let mut rounds = 0;
    loop {
        while worker.run_once().await.unwrap() > 0 {}
        let due: i64 = sqlx::query_scalar("SELECT count(*) FROM letters WHERE state = 'Due'")
            .fetch_one(&stage.pool)
            .await
            .unwrap();
        if due == 0 {
            break;
        }
        rounds += 1;
        assert!(rounds < 200, "{due} letters are still due");
        stage.clock.advance(time::Duration::minutes(10));
    }
    let sent: i64 = sqlx::query_scalar("SELECT count(*) FROM letters WHERE state = 'Sent'")
        .fetch_one(&stage.pool)
        .await
        .unwrap();
    assert_eq!(sent, LETTERS as i64);
    let mut taken: HashMap<String, HashSet<String>> = HashMap::new();
    let mail = peer.mail.lock().unwrap();
    for body in mail.iter() {
        let message = MessageParser::default().parse(body).unwrap();
        let to = message.to().unwrap().first().unwrap().address().unwrap();
        let ids = taken.entry(to.to_owned()).or_default();
        ids.insert(message.message_id().unwrap().to_owned());
    }
    assert_eq!(taken.len(), LETTERS, "a letter is lost");
    assert!(
        taken.values().all(|ids| ids.len() == 1),
        "one Message-ID each"
    );
    assert_eq!(mail.len(), LETTERS + *answers_lost.lock().unwrap());
    assert!(*answers_lost.lock().unwrap() > 10);
}
