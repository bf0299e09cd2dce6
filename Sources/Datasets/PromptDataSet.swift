import Pictures

/// A data set of prompts, with pictures or without, that the encoders of a model turn into the arrays
/// that its transformer takes.
public protocol PromptDataSet: DataSet {
  /// The height and width that pictures have in training, in pixels.
  var size: [Int] { get }

  /// The heights and widths of all buckets, `size` first; the samples of a batch are of one bucket.
  var sizes: [[Int]] { get }

  /// The number of tokens that texts are padded to, nil for that of the longest one.
  var textTokens: Int? { get }

  /// Whether samples have pictures, not only prompts.
  var hasPictures: Bool { get }

  /// The number of reference images of a sample.
  var references: Int { get }

  /// The height and width of reference images, in pixels.
  var referenceSize: [Int] { get }

  /// Whether pictures may have masks, which weigh the parts of a picture in the loss.
  var masks: Bool { get }

  /// The weight where a mask is black; it is 1 where it is white.
  var unmaskedWeight: Double { get }

  /// The most damaged pictures that are left out.
  var maxDamaged: Int { get }

  /// Lists the samples and reads their prompts.
  ///
  /// - Throws: `DatasetError` and `FileError` where something is missing or cannot be read.
  func samples() throws -> any PromptSamples
}

/// The samples of a data set of prompts, which are read one by one, so that any number of them fits into
/// memory.
public protocol PromptSamples: Sendable {
  /// The folder or file that they come from, for messages.
  var path: String { get }

  /// The hash of their content, independent of its location.
  var content: String { get }

  /// The number of samples.
  var count: Int { get }

  /// The prompts of a sample, one of which is drawn each time that the sample is used.
  ///
  /// - Throws: `DatasetError` and `FileError` where they cannot be read.
  func prompts(_ index: Int) throws -> [String]

  /// The bucket of a sample: the index of its size among those of the data set.
  func bucket(_ index: Int) -> Int

  /// What tells the images of a sample apart from those of others; pictures are read, not decoded.
  ///
  /// - Throws: `DatasetError` and `FileError`.
  func identity(_ index: Int) throws -> SampleIdentity

  /// Reads the picture of a sample and its reference images, in the sizes of training.
  ///
  /// - Throws: `PictureError` where a picture is damaged, and `FileError`.
  func images(_ index: Int) throws -> SampleImages

  /// The name of a sample in messages.
  func name(_ index: Int) -> String
}

extension PromptSamples {
  /// Without buckets all samples have one size.
  public func bucket(_ index: Int) -> Int { 0 }
}

/// The images of one sample.
public struct SampleImages: Sendable {
  /// The picture, nil for prompts alone.
  public let picture: RGBImage?
  /// The reference images.
  public let references: [RGBImage]
  /// The mask of the picture, of its size; nil without one.
  public let mask: RGBImage?

  /// Makes the images of a sample.
  public init(picture: RGBImage?, references: [RGBImage], mask: RGBImage? = nil) {
    (self.picture, self.references, self.mask) = (picture, references, mask)
  }
}

/// What tells the images of one sample apart: for each the hash of its file's bytes and of how it is prepared.
/// Equal hashes mean equal images.
public struct SampleIdentity: Hashable, Sendable {
  /// The hash of the picture, 32 hexadecimal digits; nil for prompts alone.
  public let picture: String?
  /// Those of the reference images.
  public let references: [String]
  /// That of the mask, nil without one.
  public let mask: String?

  /// Makes the identity of a sample's images.
  public init(picture: String?, references: [String], mask: String? = nil) {
    (self.picture, self.references, self.mask) = (picture, references, mask)
  }
}

extension PromptDataSet {
  /// Without buckets only `size`.
  public var sizes: [[Int]] { [size] }

  /// Most data have no masks.
  public var masks: Bool { false }

  /// Without masks all parts weigh the same.
  public var unmaskedWeight: Double { 1 }

  /// Without pictures none can be damaged.
  public var maxDamaged: Int { 0 }

  /// Checks that a data set has enough samples for a batch.
  ///
  /// - Throws: `DatasetError.tooFewSamples`.
  public func samples(forBatch batch: Int) throws -> any PromptSamples {
    let samples = try samples()
    guard samples.count >= batch else {
      throw DatasetError.tooFewSamples(path: samples.path, count: samples.count, batch: batch)
    }
    return samples
  }
}
