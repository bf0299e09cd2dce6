import Foundation

/// The folder `samples` of a run, with a sample grid for every step at which one was drawn.
public struct SampleFolder: Sendable {
  /// The path of the folder.
  public let path: String

  /// Names the folder of a run.
  public init(of run: String) { path = "\(run)/samples" }

  /// The path of the grid after a step.
  public func path(_ step: Int) -> String { "\(path)/\(RunCheckpoints.name(of: step)).png" }

  /// The path of the base model's samples, one below the other.
  var base: String { "\(path)/base.png" }

  /// The steps of the grids, rising.
  public var steps: [Int] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []
    return names.compactMap { name in
      name.hasSuffix(".png") ? RunCheckpoints.step(in: String(name.dropLast(4))) : nil
    }.sorted()
  }

  /// Creates the folder, and deletes the grids of steps that are to be made again.
  ///
  /// - Parameter step: the steps made; at 0 the base model's samples are deleted too.
  /// - Throws: the error of creating it.
  func prepare(after step: Int) throws {
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    for later in steps where later > step || step == 0 { unlink(self.path(later)) }
    if step == 0 { unlink(base) }
  }
}
