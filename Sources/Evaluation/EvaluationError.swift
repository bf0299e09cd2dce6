import Models
import Tensors

/// What can go wrong while samples are measured, besides the errors of files and the plugin.
public enum EvaluationError: Error, Equatable, CustomStringConvertible {
  /// Images do not have the shape that the classifier takes.
  case otherShape(source: String, found: Shape, classifier: String, expected: Shape)
  /// A class of the data is not known to the classifier.
  case otherClasses(classifier: String, classes: Int, found: Int)
  /// A network has fewer classes than the classifier that evaluates its samples.
  case fewerClasses(path: String, found: Int, classifier: String, expected: Int)
  /// A set has too few pictures for a covariance.
  case tooFew(source: String, found: Int)
  /// A set has too few vectors of features.
  case tooFewFeatures(found: Int, needed: Int)
  /// The classifier's features of all real pictures are the same.
  case featuresConstant(classifier: String)
  /// The classifier's features of finite images are NaN or infinite.
  case featuresNotFinite(classifier: String)
  /// The eigenvalues of a covariance could not be computed.
  case noEigenvalues(status: Int)
  /// A line of a file of prompts is not as it should be.
  case damagedLine(path: String, line: Int, reason: String)
  /// A file of prompts has no lines.
  case noPrompts(path: String)
  /// A file of prompts has no split of a name.
  case unknownSplit(path: String, found: String, known: [String])
  /// There are neither real pictures nor several pictures of a prompt.
  case nothingToMeasure(path: String)
  /// A model makes pictures of another size than the one that real pictures were brought to.
  case otherSize(model: String, found: ImageSize, expected: ImageSize)
  /// A report is not of the same measurement.
  case otherReport(path: String, reason: String)

  /// What was found, what was expected and what to do.
  public var description: String {
    switch self {
    case .otherShape(let source, let found, let classifier, let expected):
      "The samples of \(source) are \(found); the classifier \(classifier) takes images of "
        + "\(expected). Evaluate a network that makes such images, or name a classifier for its images "
        + "with --classifier."
    case .otherClasses(let classifier, let classes, let found):
      "The data has the class \(found); the classifier \(classifier) has the classes 0 to "
        + "\(classes - 1). Name a classifier with all classes with --classifier."
    case .fewerClasses(let path, let found, let classifier, let expected):
      "The network \(path) has \(found) classes and the classifier \(classifier) \(expected). "
        + "Name a classifier with the network's classes with --classifier."
    case .tooFew(let source, let found):
      "\(source) has \(found) picture\(found == 1 ? "" : "s"); at least \(Evaluator.samples.lowerBound) are "
        + "needed to measure a distance. Name a larger set."
    case .tooFewFeatures(let found, let needed):
      "There are the features of \(found) picture\(found == 1 ? "" : "s"), and \(needed) are needed. "
        + "Measure more pictures."
    case .featuresConstant(let classifier):
      "The features that the classifier \(classifier) computes are the same for all real pictures: "
        + "its weights are damaged, or the pictures are all equal. Train it again, or name another one "
        + "with --classifier."
    case .featuresNotFinite(let classifier):
      "The features that the classifier \(classifier) computes are not finite: its weights are "
        + "damaged. Train it again, or name another one with --classifier."
    case .damagedLine(let path, let line, let reason):
      "\(path), line \(line): \(reason). A line is a JSON object such as "
        + "{\"prompt\": \"a red fox\", \"picture\": \"fox.png\", \"split\": \"training\"}."
    case .noPrompts(let path):
      "\(path) has no prompts. Each line is a JSON object such as {\"prompt\": \"a red fox\"}."
    case .unknownSplit(let path, let found, let known):
      "\(path) has no split \(found); it has \(known.joined(separator: ", ")). Name one of them."
    case .nothingToMeasure(let path):
      "No line of \(path) names a real picture to compare with, and one picture of a prompt has no "
        + "diversity. Add pictures under the key `picture`, or make several with --samples-per-prompt."
    case .otherSize(let model, let found, let expected):
      "\(model) makes pictures of \(found), and real pictures were brought to \(expected). "
        + "Give a size that all models make with --size."
    case .otherReport(let path, let reason):
      "\(path) cannot be compared with: \(reason). Name a report of the same prompts, size, samples and "
        + "seed, or a model, which is then measured."
    case .noEigenvalues(let status):
      "The eigenvalues of a covariance of features could not be computed (LAPACK status \(status)), so "
        + "there is no Fréchet distance. Measure more samples, or use another classifier."
    }
  }
}
