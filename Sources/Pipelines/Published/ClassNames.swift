import Files
import Foundation

/// The classes of a class-conditional model as prompts name them: by their numbers, or by the names in the
/// model's index.
package struct ClassNames: Hashable, Sendable {
  /// The number of classes.
  package let count: Int
  /// The numbers of the classes with a name in small letters: mostly one.
  private let numbers: [String: [Int]]

  /// Takes the names of classes.
  ///
  /// - Parameters:
  ///   - names: the names of classes by their numbers; a comma separates several names of one class, as in
  ///     ImageNet's.
  init(count: Int, names: [Int: String]) {
    self.count = count
    var numbers: [String: [Int]] = [:]
    for (number, name) in names.sorted(by: { $0.key < $1.key }) where (0..<count).contains(number) {
      let all = [name] + name.split(separator: ",").map { String($0) }
      for name in Set(all.map(Self.plain)) { numbers[name, default: []].append(number) }
    }
    self.numbers = numbers
  }

  private static func plain(_ name: String) -> String {
    name.trimmingCharacters(in: .whitespaces).lowercased()
  }

  /// The number of the class that a prompt names; an empty prompt names none, which is `count`.
  ///
  /// - Throws: `PipelineError.unknownClass`, `unknownClassName` and `ambiguousClass`.
  package func label(_ prompt: String) throws(PipelineError) -> Int32 {
    let name = Self.plain(prompt)
    if name.isEmpty { return Int32(count) }
    if let number = Int(name) {
      guard (0..<count).contains(number) else {
        throw .unknownClass(name, classes: count, source: nil)
      }
      return Int32(number)
    }
    guard let found = numbers[name] else {
      throw .unknownClassName(
        prompt, classes: count, nearest: nearestName(to: name, among: numbers.keys.sorted()))
    }
    guard found.count == 1 else { throw .ambiguousClass(prompt, numbers: found) }
    return Int32(found[0])
  }
}
