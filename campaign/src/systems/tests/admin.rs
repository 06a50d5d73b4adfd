//! How a system of the user's is asked for another leader or other members: by the command lines of its file.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rashomon_nemesis::{Capability, NodeId};

use super::files::cluster;
use crate::systems::admin::{Admin, NotDone, Wish};
use crate::systems::{System, SystemError};

const REST: &str = "name = \"mine\"\ndoc = \"A script.\"\n[node]\nprogram = \"/bin/true\"\n[probe]\nkind = \"port\"\n\
                    [client]\nkind = \"etcd-v3-json\"\n[admin]\nkind = \"program\"\n";

/// A system that is asked by these lines of its file.
fn load(folder: &Path, admin: &str) -> Result<System, SystemError> {
    let path = folder.join("mine.toml");
    std::fs::write(&path, format!("{REST}{admin}")).unwrap();
    System::load(path.to_str().unwrap())
}

/// Both wishes go to this shell script.
fn scripted(folder: &Path, script: &str) -> Arc<dyn Admin> {
    let node = "\"{folder}\", \"{name}\", \"{address}\", \"{client_port}\", \"{timeout_ms}\"";
    let command = |wish: &str| format!("[\"sh\", \"-c\", {script:?}, {node}, \"{{{wish}}}\"]");
    let admin =
        format!("leadership_command = {}\nmembers_command = {}\n", command("heir"), command("members"));
    let system = load(folder, &admin).unwrap();
    assert_eq!(system.asks(None), [Capability::Leadership, Capability::Members]);
    system.admin(&cluster(3, None), Duration::from_millis(500)).unwrap()
}

fn wishes() -> [Wish; 2] {
    [Wish::Lead(NodeId(3)), Wish::Members([NodeId(3), NodeId(1)].into())]
}

#[tokio::test]
async fn the_command_is_told_whom_to_ask_and_what_for() {
    let folder = tempfile::tempdir().unwrap();
    let admin = scripted(folder.path(), "echo \"$@\" >> \"$0/asked\"");
    for wish in wishes() {
        assert_eq!(admin.ask(NodeId(2), wish).await, Ok(()));
    }
    let asked = std::fs::read_to_string(folder.path().join("asked")).unwrap();
    assert_eq!(asked, "n2 10.0.0.2 7001 500 n3\nn2 10.0.0.2 7001 500 n1,n3\n");
}

#[tokio::test]
async fn a_command_that_fails_or_lasts_may_have_done_it() {
    let folder = tempfile::tempdir().unwrap();
    for (script, text) in [
        ("echo no quorum >&2; exit 3", "sh ended with exit status: 3: no quorum"),
        ("kill -9 $$", "sh ended with signal: 9 (SIGKILL): "),
        ("exec sleep 60", "no end within 500ms"),
    ] {
        let admin = scripted(folder.path(), script);
        for wish in wishes() {
            assert_eq!(admin.ask(NodeId(1), wish).await, Err(NotDone::perhaps(text.to_owned())), "{script}");
        }
    }
}

#[tokio::test]
async fn what_was_never_begun_is_definite() {
    let folder = tempfile::tempdir().unwrap();
    let nobody = scripted(folder.path(), "true").ask(NodeId(9), Wish::Lead(NodeId(1))).await;
    assert_eq!(nobody, Err(NotDone::surely("there is no node n9".to_owned())));

    let system = load(folder.path(), "leadership_command = [\"no-such-program\", \"{heir}\"]\n").unwrap();
    assert_eq!(system.asks(None), [Capability::Leadership]);
    let admin = system.admin(&cluster(3, None), Duration::from_secs(1)).unwrap();
    let texts = ["no-such-program is not installed", "there is no command for it"];
    for (wish, text) in wishes().into_iter().zip(texts) {
        assert_eq!(admin.ask(NodeId(1), wish).await, Err(NotDone::surely(text.to_owned())));
    }
}

#[test]
fn a_file_that_cannot_ask_is_refused_when_it_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |admin: &str| load(folder.path(), admin).unwrap_err().to_string();
    let nothing = refused("");
    assert!(nothing.contains("needs admin.leadership_command or admin.members_command"), "{nothing}");
    let mixed_up = refused("leadership_command = [\"true\", \"{members}\"]\n");
    assert!(mixed_up.contains("admin.leadership_command: ") && mixed_up.contains("{members}"), "{mixed_up}");
}
