/// An explicit list of the values that recipes can name.
public protocol Catalogue {
  /// The type of the named values.
  associatedtype Entry

  /// All entries by their names.
  static var entries: [(name: String, entry: Entry)] { get }
}

/// The name of an entry, read from a recipe; the message for an unknown one lists all of them.
public struct EntryName<List: Catalogue>: RawRepresentable, CaseIterable, Codable {
  /// The name in recipes.
  public let rawValue: String
  /// The named value.
  public let entry: List.Entry

  /// The entry of a name, nil where there is none.
  public init?(rawValue: String) {
    guard let found = List.entries.first(where: { $0.name == rawValue }) else { return nil }
    self.rawValue = rawValue
    entry = found.entry
  }

  /// The names of all entries.
  public static var allCases: [EntryName] {
    List.entries.compactMap { EntryName(rawValue: $0.name) }
  }
}
