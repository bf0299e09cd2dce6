/// Whether a picture is correct, and why not.
public struct GenEvalResult: Sendable {
  /// The prompt.
  public let prompt: GenEvalPrompt
  /// Whether everything is as it should be.
  public let isCorrect: Bool
  /// What is wrong, a line each, in the published words.
  public let reason: String
  /// The objects that count.
  public let kept: [GenEvalRule.Kept]

  /// The boxes and scores of the objects as the published code writes them.
  public var details: String {
    let classes = kept.map { kept in
      let boxes = kept.objects.map { object in
        "[" + (object.box + [object.score]).map { "\(Double($0))" }.joined(separator: ", ") + "]"
      }
      return "\(PythonJSON.quoted(kept.className)): [\(boxes.joined(separator: ", "))]"
    }
    return "{\(classes.joined(separator: ", "))}"
  }

  /// The line of this picture in the published `results.jsonl`.
  ///
  /// - Parameter file: the path of the picture.
  public func line(file: String) -> String {
    func quoted(_ text: String) -> String {
      PythonJSON.quoted(text).replacing("/", with: "\\/")
    }
    let members = [
      ("filename", quoted(file)), ("tag", quoted(prompt.tag)), ("prompt", quoted(prompt.prompt)),
      ("correct", isCorrect ? "true" : "false"), ("reason", quoted(reason)),
      ("metadata", quoted(prompt.metadata)), ("details", quoted(details)),
    ]
    return "{" + members.map { "\"\($0.0)\":\($0.1)" }.joined(separator: ",") + "}"
  }
}
