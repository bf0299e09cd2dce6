/// A model with the LoRA of a request.
struct ServedModelKey: Hashable, Sendable {
  /// A LoRA that a request names.
  struct LoRA: Hashable, Sendable {
    /// The name that the server gave it.
    let name: String
    /// The factor on its changes.
    let scale: Double
  }

  /// The name of the model.
  let name: String
  /// The LoRA in the order of the request.
  var loras: [LoRA] = []
}
