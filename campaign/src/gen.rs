//! `rashomon gen`: writes a generated history, event by event.

use anyhow::Context as _;
use rashomon_checker::generate::{Flaw, Generated, Object, Overlap, Plan, generate};
use rashomon_histories::{FileWriter, Header, Sink as _};

use crate::cli::GenArgs;
use crate::exit::{BadInput, Outcome};

/// `rashomon gen`.
///
/// # Errors
/// [`BadInput`] when the arguments make no history, or no read was found to spoil; anything else when the file cannot be
/// written.
pub fn command(args: &GenArgs) -> anyhow::Result<Outcome> {
    let plan = plan(args)?;
    let mut generated = generate(plan);
    write(args, &mut generated).with_context(|| format!("{}: cannot be written", args.output.display()))?;
    if plan.flaw != Flaw::None && !generated.is_spoilt() {
        return Err(BadInput(format!(
            "{}: a valid history was written: in {} operations there was no answer to spoil; more --ops or another --seed has one",
            args.output.display(),
            args.ops
        ))
        .into());
    }
    Ok(Outcome::Passed)
}

fn plan(args: &GenArgs) -> Result<Plan, BadInput> {
    let object = Object::of_model(&args.model).ok_or_else(|| {
        let known: Vec<&str> = Object::ALL.into_iter().map(|(model, _)| model).collect();
        BadInput(format!("--model {:?}: histories can be made for {}", args.model, known.join(", ")))
    })?;
    if !(0.0..=1.0).contains(&args.unknown) {
        return Err(BadInput(format!("--unknown {}: a share is from 0 to 1", args.unknown)));
    }
    Ok(Plan {
        object,
        operations: args.ops,
        clients: args.clients,
        keys: args.keys,
        unknown: args.unknown,
        values: args.values,
        flaw: match (args.invalid, args.mutated) {
            (true, _) => Flaw::Stale,
            (_, true) => Flaw::Mutated,
            _ => Flaw::None,
        },
        overlap: if args.hidden { Overlap::Hidden } else { Overlap::Even },
        seed: args.seed,
    })
}

fn write(args: &GenArgs, generated: &mut Generated) -> std::io::Result<()> {
    let header = Header {
        model: Some(args.model.as_str().into()),
        seed: Some(args.seed),
        ..Header::new(format!("generated: {} operations of {} clients", args.ops, args.clients))
    };
    let mut writer = FileWriter::create(&args.output)?;
    writer.header(&header)?;
    for event in generated {
        writer.event(&event)?;
    }
    writer.finish()
}
