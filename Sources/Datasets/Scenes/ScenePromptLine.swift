import Files

/// A prompt of the benchmark in GenEval's form, with whether it is held out.
public struct ScenePromptLine: Encodable {
  private let request: SceneRequest

  /// The lines of the benchmark's file of prompts.
  ///
  /// - Throws: what encoding throws.
  public static var benchmark: [String] {
    get throws {
      try SceneRequest.benchmark.map { try JSONFile.text(ScenePromptLine(request: $0)) }
    }
  }

  private enum Key: String, CodingKey {
    case tag, include, exclude, prompt
    case isHeldOut = "held_out"
    case name = "class"
    case count, color, position
  }

  /// Writes the line's object.
  public func encode(to encoder: any Encoder) throws {
    var line = encoder.container(keyedBy: Key.self)
    try line.encode(request.task.rawValue, forKey: .tag)
    try line.encode(request.prompt, forKey: .prompt)
    try line.encode(request.isHeldOut, forKey: .isHeldOut)
    var include = line.nestedUnkeyedContainer(forKey: .include)
    for group in request.groups {
      var clause = include.nestedContainer(keyedBy: Key.self)
      try clause.encode(group.object.name, forKey: .name)
      try clause.encode(group.count, forKey: .count)
      try clause.encodeIfPresent(group.color, forKey: .color)
      guard let relation = group.relation else { continue }
      var position = clause.nestedUnkeyedContainer(forKey: .position)
      try position.encode(relation)
      try position.encode(0)
    }
    guard request.task == .counting else { return }
    // One more is already too many.
    var exclude = line.nestedUnkeyedContainer(forKey: .exclude)
    var clause = exclude.nestedContainer(keyedBy: Key.self)
    try clause.encode(request.groups[0].object.name, forKey: .name)
    try clause.encode(request.groups[0].count + 1, forKey: .count)
  }
}
