import Files
import Foundation

/// The results of a comparison.
public struct ComparisonReport: Codable, Sendable {
  /// The title.
  public let title: String
  /// The meanings of the figures.
  public let names: Names
  /// The figures of real samples.
  public let real: Real
  /// The number of samples behind each figure.
  public let samples: Int
  /// The training budget of each method in network evaluations of one sample.
  public let evaluations: Double
  /// The numbers of steps that were measured.
  public let steps: [Int]
  /// The rows: the base model and the methods.
  public internal(set) var rows: [Row] = []
  /// The methods that are not measured yet.
  public internal(set) var missing: [String] = []

  /// The meanings of the figures of `Scores`.
  public struct Names: Codable, Sendable {
    /// The name of the distance.
    public let distance: String
    /// The meaning of the accuracy.
    public let accuracy: String
    /// The meaning of the precision.
    public let precision: String
    /// The meaning of the recall.
    public let recall: String
    /// The meaning of the diversity.
    public let diversity: String
  }

  /// The figures of the same number of real samples, nil where there are none.
  public struct Real: Codable, Sendable {
    /// Their distance to other real ones.
    public let distance: Double?
    /// Their diversity.
    public let diversity: Double?
  }

  /// The figures of a network's samples at one number of steps.
  public struct Scores: Codable, Hashable, Sendable {
    /// The distance to real samples; smaller is better.
    public let distance: Double
    /// The fraction that is what was asked for.
    public let accuracy: Double
    /// The fraction that is near to real samples; nil for too few.
    public let precision: Double?
    /// The fraction of real samples that are near to one; nil for too few.
    public let recall: Double?
    /// How much samples differ; nil where there is one of each kind.
    public let diversity: Double?

    /// Whether these are better than others; of equal accuracy the ones with the smaller distance are.
    func isBetter(than others: Scores, by criterion: Criterion) -> Bool {
      switch criterion {
      case .accuracy where accuracy != others.accuracy: accuracy > others.accuracy
      case .accuracy, .distance: distance < others.distance
      }
    }
  }

  /// What says which of two networks is better.
  enum Criterion {
    /// The smaller distance.
    case distance
    /// The higher accuracy.
    case accuracy
  }

  /// One trained network, or the means of several that differ in the seed.
  public struct Row: Codable, Sendable {
    /// The method.
    public let name: String
    /// Training steps; 0 for a network that was not trained here.
    public let trainingSteps: Int
    /// The learning rate, nil without training.
    public let learningRate: Double?
    /// Network evaluations of one sample in a training step.
    public let evaluations: Double
    /// The median seconds of a training step, nil if they were not measured.
    public let seconds: Double?
    /// The peak memory of a training step in bytes, as planned by the compiler.
    public let memory: Int?
    /// The numbers of parameters; nil where the loss was not finite.
    public let parameters: Parameters?
    /// The scores at each number of sampling steps; nil where samples are not finite.
    public let scores: [Scores?]
    /// The number of runs, with a seed each, of which the scores are means.
    public var runs = 1
    /// The standard deviations of the scores over the runs; nil for one run.
    public var spreads: [Scores?]?

    /// The distances at each number of steps, infinite for samples that are not finite.
    public var distances: [Double] { scores.map { $0?.distance ?? .infinity } }

    /// The accuracies at each number of steps, infinite for samples that are not finite.
    public var accuracies: [Double] { scores.map { $0?.accuracy ?? .infinity } }

    /// The same figures under another name.
    func named(_ name: String) -> Row {
      Row(
        name: name, trainingSteps: trainingSteps, learningRate: learningRate,
        evaluations: evaluations, seconds: seconds, memory: memory, parameters: parameters,
        scores: scores)
    }

    /// One run.
    init(
      name: String, trainingSteps: Int, learningRate: Double?, evaluations: Double,
      seconds: Double?, memory: Int?, parameters: Parameters?, scores: [Scores?]
    ) {
      (self.name, self.trainingSteps, self.learningRate) = (name, trainingSteps, learningRate)
      (self.evaluations, self.seconds, self.memory) = (evaluations, seconds, memory)
      (self.parameters, self.scores) = (parameters, scores)
    }

    /// The means of runs that differ in the seed. Where the samples of one are not finite, there is none.
    init(_ name: String, _ rows: [Row]) {
      let first = rows[0]
      let all = first.scores.indices.map { step -> [Scores]? in
        let found = rows.compactMap { $0.scores[step] }
        return found.count == rows.count ? found : nil
      }
      self.init(
        name: name, trainingSteps: first.trainingSteps, learningRate: first.learningRate,
        evaluations: first.evaluations, seconds: first.seconds, memory: first.memory,
        parameters: first.parameters,
        scores: all.map { $0.map { Scores(of: $0) { values in Self.mean(values) } } })
      guard rows.count > 1 else { return }
      runs = rows.count
      spreads = all.map { $0.map { Scores(of: $0) { values in Self.deviation(values) } } }
    }

    private static func mean(_ values: [Double]) -> Double {
      values.reduce(0, +) / Double(values.count)
    }

    private static func deviation(_ values: [Double]) -> Double {
      let mean = mean(values)
      let squares = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
      return (squares / Double(values.count - 1)).squareRoot()
    }
  }

  /// The numbers of parameters of a method.
  public struct Parameters: Codable, Sendable {
    /// Trained parameters of the generating network.
    public let trained: Int
    /// Frozen parameters of the generating network.
    public let frozen: Int
    /// Parameters of further networks: target averages, initial networks, teachers, fakes.
    public let auxiliary: Int
  }
}

extension ComparisonReport.Scores {
  /// A figure of several scores for each of the figures.
  fileprivate init(of all: [Self], _ figure: ([Double]) -> Double) {
    func joined(_ values: [Double?]) -> Double? {
      let found = values.compactMap { $0 }
      return found.count == values.count ? figure(found) : nil
    }
    self.init(
      distance: figure(all.map(\.distance)), accuracy: figure(all.map(\.accuracy)),
      precision: joined(all.map(\.precision)), recall: joined(all.map(\.recall)),
      diversity: joined(all.map(\.diversity)))
  }
}
