//! Who is pending: operations that were invoked and have not returned, each in a slot of its own.
//!
//! A function of the events alone, the same for every configuration; knows nothing of states. Next: [`super::frontier`].

use rustc_hash::FxHashMap;

use super::program::{Item, Program, Step};
use crate::model::{Effect, NEVER};

/// One pending operation of known outcome.
#[derive(Clone, Copy)]
pub(super) struct Slot {
    pub(super) item: u32,
    pub(super) class: u32,
    pub(super) returned: u32,
}

/// Who was pending at some event, as far as the events do not tell: small, where there are many classes.
pub(super) struct Remembered {
    slots: Vec<Option<Slot>>,
    active: Vec<u32>,
}

impl Remembered {
    pub(super) fn bytes(&self) -> u64 {
        (self.slots.capacity() * size_of::<Option<Slot>>() + self.active.capacity() * 4) as u64
    }
}

/// All pending operations. Those of unknown outcome have no slot: they are counted.
pub(super) struct Pending {
    slots: Vec<Option<Slot>>,
    slot_of: FxHashMap<u32, u32>,
    /// Slots per class, the earliest return first.
    by_class: Vec<Vec<u32>>,
    /// Classes that may change the state and have somebody to do it.
    active: Vec<u32>,
    /// Per class, how many operations of unknown outcome were invoked.
    invoked: Vec<u32>,
    /// Slots whose operation never changes the state.
    pub(super) pure: Vec<u64>,
    /// Slots whose operation always sets the state.
    pub(super) overwriting: Vec<u64>,
}

impl Pending {
    pub(super) fn new<O>(program: &Program<O>, slot_words: usize) -> Self {
        Pending {
            slots: Vec::new(),
            slot_of: FxHashMap::default(),
            by_class: vec![Vec::new(); program.classes.len()],
            active: Vec::new(),
            invoked: vec![0; program.classes.len()],
            pure: vec![0; slot_words],
            overwriting: vec![0; slot_words],
        }
    }

    /// The operation in this slot.
    pub(super) fn slot(&self, slot: u32) -> Slot {
        self.slots[slot as usize].expect("only slots of pending operations are asked for")
    }

    pub(super) fn slots(&self) -> impl Iterator<Item = (usize, Slot)> {
        self.slots.iter().enumerate().filter_map(|(at, slot)| Some((at, (*slot)?)))
    }

    pub(super) fn slot_of(&self, item: u32) -> u32 {
        self.slot_of[&item]
    }

    /// The slots of a class, the earliest return first.
    pub(super) fn of_class(&self, class: u32) -> &[u32] {
        &self.by_class[class as usize]
    }

    pub(super) fn active(&self) -> &[u32] {
        &self.active
    }

    pub(super) fn unknown_invoked(&self, class: u32) -> u32 {
        self.invoked[class as usize]
    }

    /// The operation is pending from now on; its slot, unless its outcome is unknown.
    pub(super) fn add(
        &mut self,
        item: u32,
        Item { class, returned, .. }: Item,
        effect: Effect,
    ) -> Option<u32> {
        if effect != Effect::None && !self.active.contains(&class) {
            self.active.push(class);
        }
        if returned == NEVER {
            self.invoked[class as usize] += 1;
            return None;
        }
        let free = self.slots.iter().position(Option::is_none).unwrap_or_else(|| {
            self.slots.push(None);
            self.slots.len() - 1
        });
        self.fill(free as u32, Slot { item, class, returned }, effect);
        Some(free as u32)
    }

    fn fill(&mut self, slot: u32, holds: Slot, effect: Effect) {
        self.slots[slot as usize] = Some(holds);
        self.slot_of.insert(holds.item, slot);
        let twins = &self.by_class[holds.class as usize];
        let at = twins.partition_point(|&twin| self.slot(twin).returned <= holds.returned);
        self.by_class[holds.class as usize].insert(at, slot);
        let (word, bit) = (slot as usize / 64, 1u64 << (slot % 64));
        match effect {
            Effect::None => self.pure[word] |= bit,
            Effect::Overwrite => self.overwriting[word] |= bit,
            Effect::Any | Effect::Replace => {}
        }
    }

    pub(super) fn remember(&self) -> Remembered {
        Remembered { slots: self.slots.clone(), active: self.active.clone() }
    }

    /// Takes things back to how they stood before `event`, when they were remembered.
    pub(super) fn restore<O>(&mut self, remembered: &Remembered, program: &Program<O>, event: usize) {
        for (_, slot) in self.slots().collect::<Vec<_>>() {
            self.by_class[slot.class as usize].clear();
        }
        self.slot_of.clear();
        self.pure.fill(0);
        self.overwriting.fill(0);
        self.slots.clone_from(&remembered.slots);
        self.active.clone_from(&remembered.active);
        for (at, slot) in self.slots().collect::<Vec<_>>() {
            self.fill(at as u32, slot, program.classes[slot.class as usize].1);
        }
        self.invoked.fill(0);
        for &(_, step) in &program.events[..event] {
            if let Step::Invoke(item) = step {
                let Item { class, returned, .. } = program.items[item as usize];
                self.invoked[class as usize] += u32::from(returned == NEVER);
            }
        }
    }

    /// The operation returns; its slot is free.
    pub(super) fn remove(&mut self, item: u32) {
        let Some(slot) = self.slot_of.remove(&item) else { return };
        let class = self.slot(slot).class as usize;
        self.slots[slot as usize] = None;
        self.by_class[class].retain(|&twin| twin != slot);
        if self.by_class[class].is_empty() && self.invoked[class] == 0 {
            self.active.retain(|&active| active as usize != class);
        }
        let (word, bit) = (slot as usize / 64, 1u64 << (slot % 64));
        self.pure[word] &= !bit;
        self.overwriting[word] &= !bit;
    }
}
