import Synchronization

/// What the progress of AUTOMATIC1111's API tells: the newest request that is under way.
final class WebUIProgress: Sendable {
  private struct Run {
    let count: Int
    let steps: Int
    let began = ContinuousClock.now
    var step = 0
    var done = 0
  }

  private struct Runs {
    var model: String?
    var last = 0
    var runs: [Int: Run] = [:]
  }

  private let runs = Mutex(Runs())

  /// The model that options have chosen; nil for the default one.
  var model: String? { runs.withLock(\.model) }

  /// Chooses the model of requests that name none.
  func choose(_ model: String) { runs.withLock { $0.model = model } }

  /// Notes that a request has begun.
  func begin(count: Int, steps: Int) -> Int {
    runs.withLock { runs in
      runs.last += 1
      runs.runs[runs.last] = Run(count: count, steps: steps)
      return runs.last
    }
  }

  /// Notes a step.
  func step(_ number: Int, _ step: Int) {
    runs.withLock { runs in
      let known = runs.runs[number]?.step ?? 0
      runs.runs[number]?.step = max(step, known)
    }
  }

  /// Notes a picture.
  func finish(_ number: Int) { runs.withLock { $0.runs[number]?.done += 1 } }

  /// Notes that a request has ended.
  func end(_ number: Int) { runs.withLock { $0.runs[number] = nil } }

  /// The answer.
  struct State: Encodable {
    var progress = 0.0
    var eta = 0.0
    var job = Job()
    let image: String? = nil
    let text: String? = nil

    /// What is under way.
    struct Job: Encodable {
      var name = ""
      var count = 0
      var number = 0
      var step = 0
      var steps = 0

      enum CodingKeys: String, CodingKey {
        case skipped, interrupted
        case name = "job"
        case count = "job_count"
        case number = "job_no"
        case step = "sampling_step"
        case steps = "sampling_steps"
      }

      func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(false, forKey: .skipped)
        try container.encode(false, forKey: .interrupted)
        try container.encode(name, forKey: .name)
        try container.encode(count, forKey: .count)
        try container.encode(number, forKey: .number)
        try container.encode(step, forKey: .step)
        try container.encode(steps, forKey: .steps)
      }
    }

    enum CodingKeys: String, CodingKey {
      case progress
      case eta = "eta_relative"
      case job = "state"
      case image = "current_image"
      case text = "textinfo"
    }
  }

  /// How far the newest request is.
  var state: State {
    runs.withLock { runs in
      guard let (number, run) = runs.runs.max(by: { $0.key < $1.key }) else { return State() }
      var state = State()
      let done = Double(run.done) + Double(run.step % max(1, run.steps)) / Double(max(1, run.steps))
      state.progress = min(1, done / Double(max(1, run.count)))
      let seconds = (ContinuousClock.now - run.began) / .seconds(1)
      if state.progress > 0 { state.eta = seconds * (1 - state.progress) / state.progress }
      state.job = State.Job(
        name: "request \(number)", count: run.count, number: run.done, step: run.step,
        steps: run.steps)
      return state
    }
  }
}
