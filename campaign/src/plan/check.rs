//! What a plan must satisfy before anything is started: every refusal names the setting and what was expected.

use rashomon_nemesis::Capability;
use rashomon_nemesis::fault::registry::missing;

use rashomon_node::defect::Defect;

use crate::exit::BadInput;
use crate::plan::Plan;
use crate::replay::SEEN;

/// Bounds of the whole numbers in a plan: name of the flag, least, most.
const BOUNDS: [(&str, u64, u64); 7] = [
    ("--nodes", 1, 31),
    ("--clients", 1, 10_000),
    ("--keys", 1, 100_000),
    ("--key-operations", 1, 10_000_000),
    ("--duration", 100, 7 * 24 * 3_600_000),
    ("--timeout", 10, 600_000),
    ("--recovery", 1, 3_600_000),
];

/// Refuses a plan that contradicts itself or names what does not exist.
///
/// # Errors
/// [`BadInput`] with the setting, what it says, and what was expected.
pub fn check(plan: &Plan) -> Result<(), BadInput> {
    let given = [
        u64::from(plan.nodes),
        u64::from(plan.clients),
        u64::from(plan.keys),
        plan.key_operations,
        plan.duration_ms,
        plan.timeout_ms,
        plan.recovery_ms_max,
    ];
    for ((flag, least, most), value) in BOUNDS.into_iter().zip(given) {
        if !(least..=most).contains(&value) {
            let unit = if matches!(flag, "--duration" | "--timeout" | "--recovery") { " ms" } else { "" };
            return Err(BadInput(format!("{flag} {value}{unit}: expected {least} to {most}{unit}")));
        }
    }
    if let Some(rate) = plan.rate
        && !(rate.is_finite() && rate > 0.0 && rate <= 10_000_000.0)
    {
        return Err(BadInput(format!(
            "--rate {rate}: expected a number of operations a second, up to 10 million, or 0 for no limit"
        )));
    }
    plan.workload()?;
    plan.workload_options().check().map_err(|error| BadInput(error.to_string()))?;
    if plan.clients < plan.nodes {
        return Err(BadInput(format!(
            "--clients {}: expected at least one per node, and --nodes is {}",
            plan.clients, plan.nodes
        )));
    }
    check_snapshot_entries(plan.snapshot_entries)?;
    check_faults(plan)?;
    if let Some(given) = &plan.schedule {
        given.check(plan.nodes, &plan.capabilities()?, &SEEN.into())?;
    }
    check_system(plan)
}

/// Refuses thresholds of snapshots that make no sense.
///
/// # Errors
/// [`BadInput`] with the bounds.
pub fn check_snapshot_entries(entries: Option<u64>) -> Result<(), BadInput> {
    match entries {
        Some(entries) if !(1..=1_000_000_000).contains(&entries) => {
            Err(BadInput(format!("--snapshot-entries {entries}: expected 1 to 1000000000")))
        }
        _ => Ok(()),
    }
}

fn check_system(plan: &Plan) -> Result<(), BadInput> {
    for id in &plan.defects {
        let defect: Defect = id.parse().map_err(|error| BadInput(format!("--defect: {error}")))?;
        if let Some(protocol) = &plan.protocol {
            defect.check_protocol(protocol).map_err(|error| BadInput(format!("--defect: {error}")))?;
        }
    }
    let system = plan.system()?;
    system
        .check(plan.protocol.as_deref(), !plan.defects.is_empty(), plan.workload()?.objects())
        .map_err(|error| BadInput(error.to_string()))?;
    system.check_snapshots(plan.snapshot_entries).map_err(|error| BadInput(error.to_string()))?;
    system.program().map(drop).map_err(|error| BadInput(error.to_string()))
}

fn check_faults(plan: &Plan) -> Result<(), BadInput> {
    for (position, name) in plan.faults.iter().enumerate() {
        if plan.faults[..position].contains(name) {
            return Err(BadInput(format!("--faults: {name} stands twice")));
        }
    }
    let offered = plan.capabilities()?;
    for fault in plan.fault_set()? {
        let nodes = plan.nodes as usize;
        if nodes < fault.nodes_min() {
            let least = fault.nodes_min();
            return Err(BadInput(format!(
                "--faults: {} needs at least {least} nodes, --nodes is {nodes}",
                fault.name()
            )));
        }
        if let Some(missing) = missing(fault, &offered) {
            let name = fault.name();
            let lacks = match (missing, &plan.protocol) {
                (Capability::Leadership | Capability::Members, Some(protocol)) => {
                    format!("{} under {protocol} is not", plan.system)
                }
                (Capability::Leadership | Capability::Members, None) => format!("{} is not", plan.system),
                _ => format!("--arena {} does not offer", plan.arena),
            };
            return Err(BadInput(format!("--faults: {name} needs {missing}, which {lacks}")));
        }
    }
    Ok(())
}
