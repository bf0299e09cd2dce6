import Foundation
import Synchronization

/// What a server counts, in the text format of Prometheus.
final class ServerMetrics: Sendable {
  private struct State {
    var requests: [Request: Int] = [:]
    var latencies: [String: Histogram] = [:]
    var phases: [String: Histogram] = [:]
    var batches: [Int: Int] = [:]
    var outcomes: [String: Int] = [:]
  }

  /// The requests of one kind.
  private struct Request: Hashable, Comparable {
    let route: String
    let status: Int

    static func < (a: Self, b: Self) -> Bool { (a.route, a.status) < (b.route, b.status) }
  }

  private let state = Mutex(State())
  private let started = Date()

  /// What is measured when the metrics are read.
  struct Gauges {
    /// The jobs that wait.
    let queued: Int
    /// Whether pictures are being made.
    let isMaking: Bool
    /// The bytes of the weights that are loaded.
    let weightBytes: Int
    /// The resident bytes of the process; nil where they are unknown.
    let residentBytes: Int?
  }

  /// Counts a request that was answered.
  func answered(_ route: String, status: Int, seconds: Double) {
    state.withLock { state in
      state.requests[Request(route: route, status: status), default: 0] += 1
      state.latencies[route, default: Histogram()].add(seconds)
    }
  }

  /// Counts a picture.
  func made(_ timing: PictureTiming) {
    state.withLock { state in
      state.outcomes["made", default: 0] += 1
      for (phase, milliseconds) in [
        ("queue", timing.queue), ("text", timing.text), ("denoise", timing.denoising),
        ("decode", timing.decoding),
      ] {
        state.phases[phase, default: Histogram()].add(milliseconds / 1000)
      }
      state.batches[timing.batch, default: 0] += 1
    }
  }

  /// Counts pictures that nobody waited for any more.
  func cancelled(_ count: Int) {
    state.withLock { $0.outcomes["cancelled", default: 0] += count }
  }

  /// Counts pictures that could not be made.
  func failed(_ count: Int) { state.withLock { $0.outcomes["failed", default: 0] += count } }

  /// Counts pictures that were refused, as where too many wait.
  func refused(_ count: Int) { state.withLock { $0.outcomes["refused", default: 0] += count } }

  /// All metrics as text.
  func text(_ gauges: Gauges) -> String {
    let state = state.withLock { $0 }
    var page = MetricsPage()
    page.add("twinflow_requests_total", "counter", "Requests that were answered.") {
      state.requests.sorted { $0.key < $1.key }.map { request, count in
        (#"{route="\#(request.route)",status="\#(request.status)"}"#, Double(count))
      }
    }
    page.add(
      "twinflow_request_seconds", "Time to answer a request.", label: "route", state.latencies)
    page.add("twinflow_pictures_total", "counter", "Pictures by what became of them.") {
      state.outcomes.sorted { $0.key < $1.key }.map {
        (#"{outcome="\#($0.key)"}"#, Double($0.value))
      }
    }
    page.add(
      "twinflow_phase_seconds", "Time of a picture's phases.", label: "phase", state.phases)
    page.add("twinflow_batch_pictures_total", "counter", "Pictures by the size of their batch.") {
      state.batches.sorted { $0.key < $1.key }.map { (#"{size="\#($0.key)"}"#, Double($0.value)) }
    }
    let values: [(String, String, Double?)] = [
      ("twinflow_queue_pictures", "Pictures that wait.", Double(gauges.queued)),
      ("twinflow_busy", "Whether pictures are being made.", gauges.isMaking ? 1 : 0),
      ("twinflow_weight_bytes", "Weights that are loaded.", Double(gauges.weightBytes)),
      ("process_resident_memory_bytes", "Resident memory.", gauges.residentBytes.map(Double.init)),
      ("process_start_time_seconds", "Start time.", started.timeIntervalSince1970),
    ]
    for (name, help, value) in values {
      if let value { page.add(name, "gauge", help) { [("", value)] } }
    }
    return page.text
  }
}

/// How often values fell below limits.
private struct Histogram {
  static let limits = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300]
  var counts = [Int](repeating: 0, count: limits.count)
  var count = 0
  var sum = 0.0

  mutating func add(_ value: Double) {
    for (number, limit) in Self.limits.enumerated() where value <= limit { counts[number] += 1 }
    count += 1
    sum += value
  }
}

/// A page of metrics.
private struct MetricsPage {
  private(set) var text = ""

  mutating func add(
    _ name: String, _ kind: String, _ help: String, _ values: () -> [(labels: String, Double)]
  ) {
    let values = values()
    guard !values.isEmpty else { return }
    text += "# HELP \(name) \(help)\n# TYPE \(name) \(kind)\n"
    for (labels, value) in values { text += "\(name)\(labels) \(Self.number(value))\n" }
  }

  mutating func add(
    _ name: String, _ help: String, label: String, _ histograms: [String: Histogram]
  ) {
    guard !histograms.isEmpty else { return }
    text += "# HELP \(name) \(help)\n# TYPE \(name) histogram\n"
    for (value, histogram) in histograms.sorted(by: { $0.key < $1.key }) {
      let own = #"\#(label)="\#(value)""#
      for (limit, count) in zip(Histogram.limits, histogram.counts) {
        text += "\(name)_bucket{\(own),le=\"\(Self.number(limit))\"} \(count)\n"
      }
      text += "\(name)_bucket{\(own),le=\"+Inf\"} \(histogram.count)\n"
      text += "\(name)_sum{\(own)} \(histogram.sum)\n\(name)_count{\(own)} \(histogram.count)\n"
    }
  }

  /// Whole numbers without a fraction.
  private static func number(_ value: Double) -> String {
    value == value.rounded() && abs(value) < 1e15 ? "\(Int(value))" : "\(value)"
  }
}
