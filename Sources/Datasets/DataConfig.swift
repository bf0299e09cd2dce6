import Recipe
import Tensors

/// A data set with its options, as recipes name it: an `ArrayDataSet` or a `PromptDataSet`.
///
/// A new data set is one file and one line in `DataSets.all`.
public protocol DataSet: RecipeGroup, Hashable {
  /// Its names in recipes.
  static var kinds: [String] { get }

  /// The name in the recipe.
  var kind: String { get }

  /// Reads the options beside a name.
  ///
  /// - Throws: an error that names the key whose value cannot be.
  init(kind: String, from decoder: any Decoder) throws
}

/// A data set whose samples are the arrays that a network takes.
public protocol ArrayDataSet: DataSet {
  /// The arrays of a sample, `sample` itself first.
  var arrays: [InputSpec] { get }

  /// The stream of training batches.
  ///
  /// - Throws: `DatasetError` where the data are missing or damaged.
  func batches(size: Int, seed: UInt64) throws -> any BatchSource

  /// The stream of training batches.
  ///
  /// - Parameter notice: called with sentences for the user, such as what is left out.
  /// - Throws: `DatasetError` where the data are missing or damaged.
  func batches(
    size: Int, seed: UInt64, notice: (String) -> Void
  ) throws -> any BatchSource
}

/// A data set whose samples can have classes in place of prompts, for class-conditional networks of latents.
public protocol LabelledDataSet: DataSet {
  /// The same samples, each with one prompt, which is the number or the name of its class.
  var labelled: any PromptDataSet { get }
}

extension ArrayDataSet {
  /// Most data sets have nothing to say.
  public func batches(
    size: Int, seed: UInt64, notice: (String) -> Void
  ) throws -> any BatchSource {
    try batches(size: size, seed: seed)
  }
}

extension DataSet {
  /// Most data sets have one name.
  public init(kind: String, from decoder: any Decoder) throws { try self.init(from: decoder) }
}

/// The data sets that recipes can name: one line each.
public enum DataSets: Catalogue {
  private static let all: [any DataSet.Type] = [
    FashionMNISTData.self,
    PointData.self,
    NoiseData.self,
    SceneData.self,
    ClassImageData.self,
    ImageData.self,
    ManifestData.self,
    WebDatasetData.self,
    ParquetData.self,
    PromptData.self,
  ]

  /// The data sets by their names.
  public static var entries: [(name: String, entry: any DataSet.Type)] {
    all.flatMap { type in type.kinds.map { ($0, type) } }
  }
}

/// The training data: any data set by its name and options.
public struct DataConfig: Sendable {
  /// The data set.
  public let dataSet: any DataSet

  /// Wraps a data set.
  public init(_ dataSet: any DataSet) { self.dataSet = dataSet }

  /// The name in recipes.
  public var kind: String { dataSet.kind }

  /// The data set where its samples are arrays.
  public var arrayDataSet: (any ArrayDataSet)? { dataSet as? any ArrayDataSet }

  /// The data set where its samples have prompts.
  public var promptDataSet: (any PromptDataSet)? { dataSet as? any PromptDataSet }

  /// The data set with classes in place of prompts; nil where it has none.
  public var labelled: (any PromptDataSet)? { (dataSet as? any LabelledDataSet)?.labelled }

  /// The number of classes, 0 for data without.
  public var classes: Int {
    (arrayDataSet?.arrays ?? []).compactMap(\.count).first.map { $0 - 1 } ?? 0
  }
}

extension DataConfig: Hashable {
  /// Whether two are the same set with the same options.
  public static func == (a: DataConfig, b: DataConfig) -> Bool {
    AnyHashable(a.dataSet) == AnyHashable(b.dataSet)
  }

  /// Hashes the set and its options.
  public func hash(into hasher: inout Hasher) { hasher.combine(AnyHashable(dataSet)) }
}

extension DataConfig: RecipeChoice {
  /// The data sets.
  public typealias List = DataSets

  /// The data set.
  public var group: any RecipeGroup { dataSet }

  /// Reads a set's name and the options beside it.
  ///
  /// - Throws: an error that names the key, and what is valid.
  public init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: RecipeChoiceKey.self)
    let name: EntryName<DataSets> = try keys.value(.kind)
    try Self.refuseKeysOfOthers(than: name.rawValue, from: decoder)
    dataSet = try name.entry.init(kind: name.rawValue, from: decoder)
  }
}
