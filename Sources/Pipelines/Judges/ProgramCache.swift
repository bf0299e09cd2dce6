import Runtime
import Synchronization

/// Programs that are compiled on first use, by what they are compiled for.
final class ProgramCache<Key: Hashable & Sendable>: Sendable {
  private let programs = Mutex<[Key: CompiledFunction]>([:])

  /// What programs have been compiled for.
  var keys: Set<Key> { programs.withLock { Set($0.keys) } }

  /// The program for a key.
  func callAsFunction(
    _ key: Key, _ compile: () throws -> CompiledFunction
  ) throws -> CompiledFunction {
    try programs.withLock { programs in
      if let program = programs[key] { return program }
      let program = try compile()
      programs[key] = program
      return program
    }
  }
}
