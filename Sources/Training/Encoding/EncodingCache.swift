import Files
import Pipelines
import Processes

/// The cache of encoded pictures and texts: a folder that several runs may share, with a folder in it for
/// each encoder.
struct EncodingCache {
  /// The folder.
  let path: String
  /// The latents of pictures.
  let pictures: EncodedStore
  /// The features of texts.
  let texts: EncodedStore
  /// The masks; nil for data without.
  let masks: EncodedStore?

  /// The name of the cache in the folder of a run.
  static let standardName = "encoded"

  /// Opens a cache for the encoders of a pipeline, and checks what it holds of them.
  ///
  /// - Parameters:
  ///   - group: the processes of the run.
  ///   - masks: whether there are masks.
  ///   - isPlan: whether nothing is written, and damaged files stay.
  ///   - check: called before each file is read; an error that it throws ends the opening.
  ///   - notice: called with sentences for the user.
  /// - Throws: the errors of files.
  init(
    _ path: String, of pipeline: ImagePipeline, group: ProcessGroup?, masks: Bool = false,
    isPlan: Bool = false,
    checking check: () throws -> Void = {}, notice: @escaping (String) -> Void = { _ in }
  ) throws {
    func store(_ kind: EncodedStore.Kind, _ content: [String: String]) throws -> EncodedStore {
      try EncodedStore(
        kind, in: path, content: content, encoders: pipeline.folder.path, group: group,
        isPlan: isPlan, checking: check, notice: notice)
    }
    self.path = path
    pictures = try store(.pictures, pipeline.latentContent())
    texts = try store(.texts, pipeline.textContent())
    self.masks =
      try masks ? store(.masks, ["size of latents": "\(pipeline.codec.reduction)"]) : nil
  }

  /// Writes what was encoded before an error, so that it is there when the run starts again.
  func save() {
    try? pictures.write()
    try? texts.write()
    try? masks?.write()
  }

  /// Writes what was encoded; then it can be read, in all processes.
  ///
  /// - Throws: `FileError.unwritable`.
  func finish() throws {
    try pictures.finish()
    try texts.finish()
    try masks?.finish()
  }
}
