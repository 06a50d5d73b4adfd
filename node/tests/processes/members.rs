//! Who takes part and who leads, changed by asking real nodes as a campaign does: what they say of themselves then, and what
//! their clients see.

use std::time::Duration;

use rashomon_node::api::{Admin, CallError, Client, NodeId, Operation, Refusal, RefusalCode, Reply, Role};

use crate::harness::{CALL, PATIENCE, PROTOCOLS, Processes, agree, connect, id, read, write};

fn ids(numbers: &[usize]) -> Vec<NodeId> {
    numbers.iter().copied().map(id).collect()
}

/// Asks the node `at` once.
async fn ask(processes: &Processes, at: usize, admin: Admin) -> Result<Reply, CallError> {
    let mut client = Client::connect(processes.address(at), CALL).await.unwrap();
    client.operate(Operation::Admin(admin), CALL).await
}

/// Asks the node `at` until it is done: a busy machine may take too long over it, or change its leader meanwhile.
async fn bring_about(processes: &Processes, at: usize, admin: Admin) {
    let asked = async {
        loop {
            match ask(processes, at, admin.clone()).await {
                Ok(reply) => return assert_eq!(reply, Reply::Done),
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    };
    tokio::time::timeout(PATIENCE, asked).await.unwrap_or_else(|_| panic!("{admin:?} is done"));
}

/// Makes these nodes the members, and waits until all of them say that they are.
async fn make_members(processes: &Processes, at: usize, members: &[usize]) {
    bring_about(processes, at, Admin::Members(ids(members))).await;
    let shown = async {
        for number in members {
            while processes.status(*number).await.is_none_or(|status| status.members != ids(members)) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    };
    tokio::time::timeout(PATIENCE, shown).await.expect("the members know that they are");
}

/// Waits until the node surely does nothing that it is asked for.
async fn refuses(processes: &Processes, number: usize) {
    let mut client = connect(processes.address(number)).await;
    let refused = async {
        for operation in [Operation::read("x"), Operation::OpenSession] {
            while !matches!(client.operate(operation.clone(), CALL).await, Err(error) if error.is_definite())
            {
            }
        }
    };
    tokio::time::timeout(PATIENCE, refused).await.expect("it says that it does nothing");
}

#[tokio::test]
async fn only_the_first_members_decide() {
    for protocol in PROTOCOLS {
        let mut processes = Processes::founded_by(protocol, 5, &[0, 1, 2]);
        let leader = processes.leader().await;
        assert!(leader < 3, "{protocol}: n{} is no member and leads", leader + 1);
        let followers: Vec<usize> = (0..3).filter(|number| *number != leader).collect();
        let members = processes.status(leader).await.unwrap().members;
        // The others do not say.
        assert_eq!(members, if protocol == "raft" { ids(&[0, 1, 2]) } else { vec![] }, "{protocol}");
        // Two of five are up, and serve.
        [followers[0], 3, 4].into_iter().for_each(|number| processes.kill(number));
        let mut client = connect(processes.address(followers[1])).await;
        write(&mut client, "x", 1).await;
        // Three of five are up, and do not.
        [3, 4].into_iter().for_each(|number| processes.start_node(number));
        processes.kill(leader);
        refuses(&processes, followers[1]).await;
        processes.start_node(leader);
        assert_eq!(
            read(&mut connect(processes.address(followers[1])).await, "x").await,
            Reply::Value(Some(1))
        );
    }
}

#[tokio::test]
async fn an_added_member_serves_and_counts() {
    let mut processes = Processes::founded_by("raft", 4, &[0, 1, 2]);
    let leader = processes.leader().await;
    let follower = (leader + 1) % 3;
    write(&mut connect(processes.address(leader)).await, "x", 1).await;
    make_members(&processes, follower, &[0, 1, 2, 3]).await;
    let mut client = connect(processes.address(3)).await;
    assert_eq!(read(&mut client, "x").await, Reply::Value(Some(1)));
    write(&mut client, "x", 2).await;
    assert_eq!(read(&mut connect(processes.address(follower)).await, "x").await, Reply::Value(Some(2)));
    // Without it, two of four would be left.
    processes.kill(follower);
    write(&mut client, "x", 3).await;
    processes.kill(3);
    refuses(&processes, leader).await;
}

#[tokio::test]
async fn a_removed_member_refuses_and_the_others_go_on() {
    let processes = Processes::start("raft", 4);
    let leader = processes.leader().await;
    write(&mut connect(processes.address(leader)).await, "x", 1).await;
    // It is asked to remove itself.
    let rest: Vec<usize> = (0..4).filter(|number| *number != leader).collect();
    make_members(&processes, leader, &rest).await;
    let mut client = connect(processes.address(rest[0])).await;
    write(&mut client, "x", 2).await;
    assert_eq!(read(&mut client, "x").await, Reply::Value(Some(2)));
    refuses(&processes, leader).await;
    assert_eq!(processes.status(leader).await.unwrap().role, Role::Follower, "it leads no more");
    agree(&processes, &rest).await;
}

#[tokio::test]
async fn a_replaced_member_comes_back_without_its_disk_and_has_everything() {
    let mut processes = Processes::start("raft", 3);
    let leader = processes.leader().await;
    let (other, replaced) = ((leader + 1) % 3, (leader + 2) % 3);
    let mut client = connect(processes.address(leader)).await;
    write(&mut client, "x", 1).await;
    let incarnation = processes.status(replaced).await.unwrap().incarnation;
    make_members(&processes, leader, &[leader.min(other), leader.max(other)]).await;
    processes.kill(replaced);
    processes.wipe(replaced);
    processes.start_node(replaced);
    write(&mut client, "x", 2).await;
    make_members(&processes, other, &[0, 1, 2]).await;
    let status = processes.status(replaced).await.unwrap();
    assert!(![incarnation, incarnation + 1].contains(&status.incarnation), "it is a new server");
    let mut client = connect(processes.address(replaced)).await;
    assert_eq!(read(&mut client, "x").await, Reply::Value(Some(2)));
    write(&mut client, "x", 3).await;
    agree(&processes, &[0, 1, 2]).await;
    // It counts: two of three are left with it.
    processes.kill(other);
    write(&mut client, "x", 4).await;
}

#[tokio::test]
async fn leadership_goes_to_who_was_asked_for() {
    for protocol in ["raft", "paxos"] {
        let processes = Processes::start(protocol, 3);
        let leader = processes.leader().await;
        let (heir, asked) = ((leader + 1) % 3, (leader + 2) % 3);
        let mut client = connect(processes.address(leader)).await;
        write(&mut client, "x", 1).await;
        bring_about(&processes, asked, Admin::Lead(id(heir))).await;
        let follow = async {
            for number in 0..3 {
                while processes.status(number).await.is_none_or(|status| status.leader != Some(id(heir))) {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            }
        };
        tokio::time::timeout(PATIENCE, follow).await.expect("all follow the heir");
        assert_eq!(processes.status(heir).await.unwrap().role, Role::Leader, "{protocol}");
        assert_eq!(processes.status(leader).await.unwrap().role, Role::Follower, "{protocol}");
        write(&mut client, "x", 2).await;
        assert_eq!(read(&mut connect(processes.address(heir)).await, "x").await, Reply::Value(Some(2)));
    }
}

#[tokio::test]
async fn what_a_protocol_cannot_do_is_refused_for_sure() {
    let cases = [
        ("paxos", Admin::Members(ids(&[0, 1])), RefusalCode::Unsupported),
        ("zab", Admin::Members(ids(&[0, 1])), RefusalCode::Unsupported),
        ("zab", Admin::Lead(id(1)), RefusalCode::Unsupported),
        ("raft", Admin::Members(ids(&[0, 1, 2, 3])), RefusalCode::Conflict),
        ("raft", Admin::Members(vec![]), RefusalCode::BadRequest),
        ("raft", Admin::Lead(id(3)), RefusalCode::Conflict),
    ];
    for (protocol, admin, code) in cases {
        let processes = Processes::start(protocol, 3);
        let leader = processes.leader().await;
        match ask(&processes, leader, admin.clone()).await {
            Err(CallError::Refused(Refusal { code: told, definite: true, .. })) if told == code => {}
            other => panic!("{protocol}, {admin:?}: {other:?}"),
        }
    }
}
