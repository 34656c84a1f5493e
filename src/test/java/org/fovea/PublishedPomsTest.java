// SPDX-License-Identifier: Apache-2.0
package org.fovea;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import javax.xml.parsers.DocumentBuilderFactory;
import javax.xml.xpath.XPath;
import javax.xml.xpath.XPathFactory;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.w3c.dom.Document;

/** The poms of what is published. */
class PublishedPomsTest {
    private final XPath paths = XPathFactory.newInstance().newXPath();

    private String at(String pom, String path) throws Exception {
        Document document = DocumentBuilderFactory.newInstance()
                .newDocumentBuilder()
                .parse(Path.of(pom).toFile());
        return paths.evaluate(path, document);
    }

    /** https://central.sonatype.org/publish/requirements lists these. */
    @ParameterizedTest
    @ValueSource(strings = {"pom.xml", "bom/pom.xml"})
    void haveWhatMavenCentralAsksFor(String pom) throws Exception {
        for (String path : new String[] {
            "groupId",
            "artifactId",
            "version",
            "name",
            "description",
            "url",
            "licenses/license/name",
            "licenses/license/url",
            "developers/developer/name",
            "developers/developer/organization",
            "developers/developer/organizationUrl",
            "scm/connection",
            "scm/developerConnection",
            "scm/url"
        }) {
            assertThat(at(pom, "/project/" + path)).as("%s of %s", path, pom).isNotBlank();
        }
    }

    @Test
    void areOfOneVersionAndPlace() throws Exception {
        for (String path :
                new String[] {"/project/version", "/project/groupId", "/project/properties/fovea.repository"}) {
            assertThat(at("bom/pom.xml", path)).as(path).isEqualTo(at("pom.xml", path));
        }
        assertThat(at("packaging/consumer/pom.xml", "/project/properties/fovea.version"))
                .isEqualTo(at("pom.xml", "/project/version"));
    }
}
