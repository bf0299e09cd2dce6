/// Keys of a recipe that belong together, each given by a field.
///
/// The fields are decoded, encoded, shown and listed in their order.
/// ```swift
/// struct Layer: RecipeGroup {
///   var width = 64
///   var heads = 1
///
///   static let defaults = Layer()
///   static let fields = [
///     Field("width", \.width, in: 1...4096, "features of a token"),
///     Field("heads", \.heads, in: 1..., "heads of attention"),
///   ]
///   func validate() throws {
///     if width % heads != 0 { throw invalid(\.heads, "it must divide the width, \(width)") }
///   }
/// }
/// ```
public protocol RecipeGroup: DocumentedKeys, Codable, Sendable {
  /// The values of absent keys; those of required keys are never used.
  static var defaults: Self { get }

  /// The keys.
  static var fields: [RecipeField<Self>] { get }

  /// The description of the group in the reference.
  static var summary: String { get }

  /// Whether keys beside a preset that name this group replace the preset's as a whole, not key by key.
  static var isReplacedWhole: Bool { get }

  /// Checks conditions on several keys.
  ///
  /// - Throws: an error that names the key whose value cannot be.
  func validate() throws
}

extension RecipeGroup {
  /// A key of this group.
  public typealias Field = RecipeField<Self>

  /// By default no description.
  public static var summary: String { "" }

  /// Most groups are overridden key by key.
  public static var isReplacedWhole: Bool { false }

  /// By default no conditions on several keys.
  public func validate() throws {}

  /// Reads the keys; those that are absent have their defaults.
  ///
  /// - Throws: an error that names the key whose value cannot be.
  public init(from decoder: any Decoder) throws {
    if let standing = (decoder as? RecipeNode)?.standing as? Self {
      self = try standing.replaced(from: decoder)
    } else {
      self = try Self.defaults.replaced(from: decoder, isPartial: false)
    }
  }

  /// These values, with those that a recipe overrides; groups within this one are overridden key by key,
  /// except those that are replaced as a whole.
  ///
  /// - Throws: an error that names the key whose value cannot be.
  public func replaced(from decoder: any Decoder) throws -> Self {
    try replaced(from: decoder, isPartial: true)
  }

  private func replaced(from decoder: any Decoder, isPartial: Bool) throws -> Self {
    let node = decoder as? RecipeNode
    try node?.refuse(oldNames: Self.oldNames)
    let keys = try decoder.container(keyedBy: Field.Key.self)
    var group = self
    if isPartial {
      for field in Self.fields {
        guard let inner = field.value(self) as? any RecipeGroup else { continue }
        if !type(of: inner).isReplacedWhole { node?.standingGroups[field.name] = inner }
      }
    }
    for field in Self.fields { try field.read(into: &group, from: keys, isPartial: isPartial) }
    try group.validate()
    return group
  }

  /// The names of the keys.
  static var keys: [String] { fields.map(\.name) }

  /// The default of a key as YAML; nil where the key has none, or the group has keys without a default.
  static func example(of key: String) -> String? {
    guard let field = fields.first(where: { $0.name == key }),
      !fields.contains(where: \.isRequired), field.isPart(of: defaults),
      let value = field.value(defaults) as? any Encodable,
      (value as? any OptionalValue)?.isNil != true
    else { return nil }
    return try? RecipeWriter.line(value)
  }

  /// The new names by the old names.
  static var oldNames: [String: String] {
    fields.reduce(into: [:]) { names, field in
      for old in field.oldNames { names[old] = field.name }
    }
  }

  /// Writes the keys that have values.
  public func encode(to encoder: any Encoder) throws {
    var keys = encoder.container(keyedBy: Field.Key.self)
    for field in Self.fields { try field.write(self, to: &keys) }
  }

  /// The error for a key's value, for `validate`.
  ///
  /// - Parameter found: the value in words, where it is not the property itself.
  public func invalid<Value>(
    _ path: KeyPath<Self, Value> & Sendable, found: Any? = nil, _ reason: String
  ) -> InvalidRecipeValue {
    guard let field = Self.fields.first(where: { $0.path.map { $0 == path } == true }) else {
      preconditionFailure("\(path) is the property of no field")
    }
    return InvalidRecipeValue(Field.Key(field.name), found ?? self[keyPath: path], reason)
  }
}
