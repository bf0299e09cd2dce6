import Flow
import Models
import Pictures
import Runtime
import Tensors

/// Many pictures of a class-conditional model, as evaluation suites compare thousands of them: the classes
/// follow each other in turn, and every picture has a seed of its own.
public struct ClassSamples: Sendable {
  /// The number of classes.
  public let classes: Int
  private let make:
    @Sendable (
      _ count: Int, _ seed: UInt64, _ body: (Range<Int>, [RGBImage]) throws -> Void
    ) throws -> Void

  /// The class of a picture by its number.
  public func label(_ number: Int) -> Int { number % classes }

  /// Samples of a model of latents.
  ///
  /// - Parameters:
  ///   - request: the settings of all pictures; its prompt and seed are not used.
  ///   - batch: the number of pictures that are made together; nil for as many as seem fit.
  /// - Throws: `PipelineError.takesText` for a model whose prompts are texts.
  public init(
    _ pipeline: ImagePipeline, like request: ImageRequest, batch: Int? = nil
  ) throws {
    guard let classes = pipeline.classes?.count else {
      throw PipelineError.takesText(path: pipeline.folder.path)
    }
    self.classes = classes
    make = { count, seed, body in
      let items = (0..<count).map {
        PromptGeneration.Item(prompt: "\($0 % classes)", seed: seed &+ UInt64($0))
      }
      let encoded = try EncodedPrompts(items.lazy.map(\.prompt), by: pipeline)
      try PromptGeneration(pipeline, encoded)(items, like: request, batch: batch, body)
    }
  }

  /// Samples of a network of pixels. A picture depends on its number and on the batch.
  ///
  /// - Throws: `PipelineError.notPictures` for a network of something else, and the errors of `Generator`.
  public init(
    _ file: ModelFile, _ settings: SamplerSettings, guidance: Double, batch: Int = 100,
    compute: DType = .float32, on engine: Engine
  ) throws {
    let (classes, shape) = (file.model.classes, file.model.sampleShape())
    guard file.model.codec != nil, classes > 0 else {
      throw PipelineError.notPictures(path: file.path, shape: shape)
    }
    let generator = try Generator(file, batch: batch, compute: compute, on: engine)
    self.classes = classes
    make = { count, seed, body in
      for start in stride(from: 0, to: count, by: batch) {
        let labels = (start..<start + batch).map { Prompt.classNumber($0 % classes) }
        let range = start..<min(start + batch, count)
        let pictures = try generator(
          labels, settings, guidance: guidance, seed: seed, number: start / batch
        ).pictures(range.count)
        try body(range, pictures)
      }
    }
  }

  /// Makes pictures.
  ///
  /// - Parameters:
  ///   - seed: the same seed makes the same pictures.
  ///   - body: gets them in their order, with their numbers.
  /// - Throws: `PipelineError.imagesNotFinite`, `RuntimeError.outOfMemory`, the errors of weights, the
  ///   plugin's errors, and what `body` throws.
  public func callAsFunction(
    _ count: Int, seed: UInt64, _ body: (Range<Int>, [RGBImage]) throws -> Void
  ) throws { try make(count, seed, body) }

  /// Writes pictures as the evaluation suite of ADM (Dhariwal and Nichol, 2021) reads them: `arr_0`, bytes
  /// `[count, height, width, 3]`, and `arr_1`, their classes.
  ///
  /// - Parameters:
  ///   - path: the file, which ends in `.npz`.
  ///   - progress: called with the number of pictures made.
  /// - Throws: as above, and `FileError`; then nothing is at the path.
  public func write(
    _ count: Int, seed: UInt64, size: ImageSize, to path: String,
    progress: (Int) -> Void = { _ in }
  ) throws {
    let archive = try NumPyArchive(path)
    try archive.write("arr_0", .uint8, shape: [count, size.height, size.width, 3]) { write in
      try self(count, seed: seed) { range, pictures in
        for picture in pictures { try picture.values.withUnsafeBytes(write) }
        progress(range.upperBound)
      }
    }
    let labels = (0..<count).map { Int64(label($0)).littleEndian }
    try archive.write("arr_1", .int64, shape: [count]) { try labels.withUnsafeBytes($0) }
    try archive.finish()
  }
}
