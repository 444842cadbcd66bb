//! Writes that come at the same time are committed together.
//!
//! There is one connection that writes. The first who comes leads: it waits for the connection and
//! then does the work of all who came by then, each within a savepoint of one transaction. So a
//! crowd costs little more than one of them, and nobody waits for the turns of all others. Each gets
//! its answer after the commit, so what was acknowledged is as safe as if it had come alone.

use std::{
    collections::VecDeque,
    mem,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
};

use goop2_proto::data::{Answer, Request};

use super::Caller;

/// Writes in one transaction: with rows of the largest size 16 MiB, which the log holds easily.
const MAX_TOGETHER: usize = 64;
/// The answer when the one who led panicked. Its writes did not happen.
const FAILED: &str = "this was not saved because of an error in this site's computer, try again";

/// Those who want to write.
#[derive(Debug, Default)]
pub(super) struct Queue(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Arc<Job>>,
    is_led: bool,
}

/// One write.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) caller: Caller,
    pub(super) request: Request,
    word: Mutex<Word>,
    told: Condvar,
}

/// What the one who asks for a write does next.
#[derive(Debug)]
enum Word {
    Wait,
    Lead,
    Take(Answer),
}

impl Queue {
    /// The answer to a write. `lead` calls [`Batch::take`] when it has the connection, and returns
    /// an answer for each of the writes that it got.
    pub(super) fn write(
        &self,
        caller: &Caller,
        request: &Request,
        lead: impl FnOnce(&mut Batch<'_>) -> Vec<Answer>,
    ) -> Answer {
        let job = Arc::new(Job {
            caller: caller.clone(),
            request: request.clone(),
            word: Mutex::new(Word::Wait),
            told: Condvar::new(),
        });
        if self.joins(&job)
            && let Word::Take(answer) = job.wait()
        {
            return answer;
        }
        let mut batch = Batch {
            queue: self,
            jobs: vec![Arc::clone(&job)],
        };
        let mut answers = lead(&mut batch);
        answers.resize(batch.jobs.len(), Err(FAILED.into()));
        for (job, answer) in batch.jobs.drain(..).zip(answers) {
            job.tell(Word::Take(answer));
        }
        drop(batch);
        match job.wait() {
            Word::Take(answer) => answer,
            Word::Wait | Word::Lead => Err(FAILED.into()),
        }
    }

    /// Whether somebody leads already, who tells the job what to do.
    fn joins(&self, job: &Arc<Job>) -> bool {
        let mut state = self.state();
        if state.is_led {
            state.waiting.push_back(Arc::clone(job));
        }
        mem::replace(&mut state.is_led, true)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the one who leads works on. Dropped, it passes the lead on.
pub(super) struct Batch<'a> {
    queue: &'a Queue,
    jobs: Vec<Arc<Job>>,
}

impl Batch<'_> {
    /// All that wait by now.
    pub(super) fn take(&mut self) -> &[Arc<Job>] {
        let mut state = self.queue.state();
        let more = (MAX_TOGETHER - self.jobs.len()).min(state.waiting.len());
        self.jobs.extend(state.waiting.drain(..more));
        &self.jobs
    }
}

impl Drop for Batch<'_> {
    fn drop(&mut self) {
        for job in &self.jobs {
            job.tell(Word::Take(Err(FAILED.into())));
        }
        let mut state = self.queue.state();
        match state.waiting.pop_front() {
            Some(next) => next.tell(Word::Lead),
            None => state.is_led = false,
        }
    }
}

impl Job {
    fn wait(&self) -> Word {
        let waits = |word: &mut Word| matches!(word, Word::Wait);
        let word = self.word.lock().unwrap_or_else(PoisonError::into_inner);
        let mut word = self
            .told
            .wait_while(word, waits)
            .unwrap_or_else(PoisonError::into_inner);
        mem::replace(&mut word, Word::Wait)
    }

    fn tell(&self, word: Word) {
        *self.word.lock().unwrap_or_else(PoisonError::into_inner) = word;
        self.told.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::{panic, sync::Barrier, thread};

    use serde_json::json;

    use super::*;

    fn request(number: usize) -> Request {
        Request::from_value(json!({"op": "insert", "table": number.to_string()})).unwrap()
    }

    fn answered(jobs: &[Arc<Job>]) -> Vec<Answer> {
        let answer = |job: &Arc<Job>| Ok(Some(json!(job.request.table)));
        jobs.iter().map(answer).collect()
    }

    /// Writes with one who leads until `others` wait.
    fn crowd(queue: &Queue, others: usize, panics: bool) -> (Vec<usize>, Vec<Answer>) {
        let sizes = Mutex::new(vec![]);
        let led = Barrier::new(2);
        let lead = |batch: &mut Batch<'_>| {
            let jobs = batch.take();
            sizes.lock().unwrap().push(jobs.len());
            answered(jobs)
        };
        let answers = thread::scope(|scope| {
            scope.spawn(|| {
                let first = |batch: &mut Batch<'_>| {
                    led.wait();
                    while queue.state().waiting.len() < others {
                        thread::yield_now();
                    }
                    assert!(!panics, "on purpose");
                    lead(batch)
                };
                let write = || queue.write(&Caller::Local, &request(0), first);
                let _panicked = panic::catch_unwind(panic::AssertUnwindSafe(write));
            });
            led.wait();
            let write = |number| queue.write(&Caller::Local, &request(number), lead);
            let others = (1..=others).map(|number| scope.spawn(move || write(number)));
            let others: Vec<_> = others.collect();
            let joined = others.into_iter().map(|other| other.join().unwrap());
            joined.collect()
        });
        assert!(!queue.state().is_led);
        (sizes.into_inner().unwrap(), answers)
    }

    #[test]
    fn those_who_wait_go_together_and_each_gets_its_answer() {
        let queue = Queue::default();
        let (sizes, answers) = crowd(&queue, 2 * MAX_TOGETHER, false);
        assert_eq!(sizes, [MAX_TOGETHER, MAX_TOGETHER, 1]);
        for (number, answer) in answers.into_iter().enumerate() {
            assert_eq!(answer, Ok(Some(json!((number + 1).to_string()))));
        }
    }

    #[test]
    fn a_panic_costs_those_who_wait_nothing() {
        let queue = Queue::default();
        let (sizes, answers) = crowd(&queue, 3, true);
        assert_eq!(sizes, [3]);
        assert!(answers.iter().all(Answer::is_ok));
        let (_, again) = crowd(&queue, 1, false);
        assert!(again[0].is_ok());
    }
}
