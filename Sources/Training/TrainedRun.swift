import Files
import Foundation
import Models
import Pipelines
import Runtime
import Tensors
import Weights

/// What a run has trained, at one of its checkpoints.
public struct TrainedRun: Sendable {
  /// The recipe of the run.
  public let recipe: TrainingRecipe
  /// The number of steps made.
  public let step: Int
  private let place: CheckpointPlace
  private let files: ResultFiles

  /// Opens the folder of a run, or that of one of its checkpoints; nil for anything else.
  ///
  /// - Parameter step: the checkpoint of a run; nil for the newest.
  /// - Throws: `TrainingError.noSuchCheckpoint`, and the errors of reading a checkpoint.
  public init?(_ path: String, step: Int? = nil) throws {
    var folder = path
    while folder.count > 1, folder.hasSuffix("/") { folder.removeLast() }
    let name = (folder as NSString).lastPathComponent
    let found: Checkpoint?
    if let own = RunCheckpoints.step(in: name),
      FileManager.default.fileExists(atPath: "\(folder)/\(CheckpointManifest.name)")
    {
      guard step == nil || step == own else {
        throw TrainingError.noSuchCheckpoint(path: folder, step: step ?? own, known: [own])
      }
      found = try Checkpoint(CheckpointPlace(path: folder, step: own, isOld: false))
    } else {
      let checkpoints = RunCheckpoints(run: folder)
      let all = checkpoints.all
      if let step, !all.isEmpty {
        guard let place = all.first(where: { $0.step == step }) else {
          throw TrainingError.noSuchCheckpoint(path: folder, step: step, known: all.map(\.step))
        }
        found = try Checkpoint(place)
      } else {
        found = try checkpoints.newestReadable()
      }
    }
    guard let found else { return nil }
    (recipe, self.step, place) = (found.recipe, found.step, found.place)
    // Earlier versions had the weights of their only checkpoint beside it.
    files = ResultFiles(folder: place.isOld ? folder : place.path)
  }

  /// The weights for generation: a file of weights or of LoRA, or for published networks the folder of the
  /// transformer.
  public var weights: String { files.result(of: recipe) }

  /// The file of the embedder of target times that was trained in full beside LoRA, nil without one.
  public var targetEmbedder: String? {
    recipe.embedderResult == nil ? nil : files.targetEmbedder
  }

  /// The published model whose other networks make pictures with the weights, nil for other networks.
  public var model: String? {
    guard recipe.model.isPublished else { return nil }
    return recipe.wholeStart ?? recipe.encoders ?? recipe.start
  }

  /// The checkpoint of OpenUni's that the run started from, where its connector and not that of `model` has
  /// encoded the prompts; nil for others.
  ///
  /// - Throws: the errors of finding and opening it.
  public func connector() throws -> String? {
    guard recipe.model.isPublished, recipe.encoders != nil, let start = try recipe.startPath(),
      try ModelFolder.holdsConnector(start)
    else { return nil }
    return start
  }

  /// Whether the weights are a folder as diffusers saves a transformer.
  public var isTransformer: Bool { recipe.lora == nil && recipe.model.isPublished }

  /// Writes the weights for other programs: a published transformer as a folder as diffusers saves it, LoRA
  /// as a file that diffusers, PEFT and ComfyUI read, other networks as a file of this program. A run that
  /// is a model by itself is written as one.
  ///
  /// - Parameters:
  ///   - output: the folder, which must not be there, or the file.
  ///   - dtype: how numbers are stored; nil for as they are. LoRA stays as it is.
  ///   - largest: the bytes of data in a file of a folder, beyond which there are several with an index.
  ///   - whole: the folder of the model whose other networks are copied to the folder; nil for the
  ///     transformer alone.
  /// - Returns: what was written.
  /// - Throws: `TrainingError.damagedCheckpoint`, `FileError.exists` and `unwritable`.
  public func export(
    to output: String, as dtype: DType? = nil, largest: Int = 5 << 30, in whole: ModelFolder? = nil,
    on engine: Engine
  ) throws -> [String] {
    try place.checkFiles()
    if isTransformer {
      let header = try ModelHeader(TransformerFolder(weights).weights)
      let folder = try StagedFolder(output)
      var place = folder.path
      if let whole {
        place += "/transformer"
        try FolderCopy.copy(
          whole.path, to: folder.path,
          without: [FolderCopy.canonical("\(whole.path)/transformer")])
        try whole.writeConnector(in: folder.path)
      }
      if recipe.isModel {
        place += "/transformer"
        try recipe.writeModelIndex(in: folder.path)
      }
      try TransformerFolder(place).write(
        header.weights(on: engine) { _ in nil }, card: header.card,
        as: dtype ?? recipe.precision.dtype, largest: largest, stamp: "step-\(step)", on: engine)
      try folder.commit()
      return [output]
    }
    guard recipe.lora != nil else {
      let header = try ModelHeader(weights)
      try ModelFile.write(
        header.weights(on: engine) { _ in nil }, card: header.card, to: output,
        as: dtype ?? .float32, protecting: header.file.paths, on: engine)
      return [output]
    }
    try Self.copy(weights, to: output)
    guard let targetEmbedder else { return [output] }
    let folder = (output as NSString).deletingLastPathComponent
    let name = (targetEmbedder as NSString).lastPathComponent
    let second = folder.isEmpty ? name : "\(folder)/\(name)"
    try Self.copy(targetEmbedder, to: second)
    return [output, second]
  }

  /// Writes the arrays of a file, or of the parts that several devices have written, as one file.
  private static func copy(_ path: String, to output: String) throws {
    let files = try WeightFiles(path: path)
    try WeightFiles.write(
      files.types, metadata: files.metadata, to: output, protecting: files.paths
    ) { files.bytes($0, Region(whole: files.types[$0]!.shape)) }
  }
}
