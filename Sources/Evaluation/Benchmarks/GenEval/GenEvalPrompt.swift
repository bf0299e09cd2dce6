import Datasets
import Files

/// A prompt of GenEval with what its pictures must show (Ghosh and others, 2023).
public struct GenEvalPrompt: Hashable, Sendable {
  /// Objects of one class that are expected, or that must not be there.
  public struct Clause: Hashable, Sendable {
    /// The class of the detector.
    public let className: String
    /// The least number of objects; in an exclusion the number that is already too many.
    public let count: Int
    /// The color of the objects.
    public let color: String?
    /// Where the objects are, in relation to those of an earlier clause.
    public let position: Position?
  }

  /// A relation to the objects of another clause.
  public struct Position: Hashable, Sendable {
    /// `left of`, `right of`, `above` or `below`.
    public let relation: String
    /// The number of the other clause.
    public let target: Int
  }

  /// The task, such as `two_object`.
  public let tag: String
  /// The prompt.
  public let prompt: String
  /// What must be there, all of it.
  public let include: [Clause]
  /// What must not be there.
  public let exclude: [Clause]
  /// Whether it has a combination that training scenes of emoji-compositions do not have.
  public let isHeldOut: Bool
  /// The prompt's whole line as Python's `json.dumps` writes it.
  public let metadata: String

  /// Reads a line of `evaluation_metadata.jsonl`.
  package init(_ value: JSON) throws(RowFault) {
    let members = try JSONMembers(value)
    tag = try members.string("tag")
    prompt = try members.string("prompt")
    var clauses: [Clause] = []
    for element in try members.list("include", isOptional: true) {
      clauses.append(try Clause(element, number: clauses.count))
    }
    include = clauses
    clauses = []
    for element in try members.list("exclude", isOptional: true) {
      clauses.append(try Clause(element, number: 0))
    }
    exclude = clauses
    isHeldOut = if case .bool(true)? = members["held_out"] { true } else { false }
    metadata = PythonJSON.text(value)
  }

  /// Reads a file of prompts, or the file of one in the folder of its pictures.
  ///
  /// - Throws: `FileError.unreadable`, `BenchmarkError.damagedLine`.
  public static func read(_ path: String) throws -> [GenEvalPrompt] {
    try JSONLines.read(path) { try GenEvalPrompt($0) }
  }

  /// Whether the colors of a class must be known.
  public func needsColors(of className: String) -> Bool {
    include.contains { $0.className == className && $0.color != nil }
  }
}

extension GenEvalPrompt.Clause {
  /// Reads a clause.
  ///
  /// - Parameter number: the number of clauses before it.
  fileprivate init(_ value: JSON, number: Int) throws(RowFault) {
    let members = try JSONMembers(value, "a clause")
    className = try members.string("class")
    count = try members.integer("count")
    guard count >= 0 else { throw RowFault("the `count` of \(className) is \(count)") }
    color = try members["color"] == nil ? nil : members.string("color")
    guard members["position"] != nil else {
      position = nil
      return
    }
    let parts = try members.list("position")
    guard parts.count == 2, case .string(let relation) = parts[0],
      case .integer(let target) = parts[1], 0..<number ~= target
    else {
      throw RowFault(
        "the `position` of \(className) is not a relation and the number of an earlier clause")
    }
    position = .init(relation: relation, target: target)
  }
}
